// SPDX-License-Identifier: Apache-2.0
// Calls in progress, as firewalls tell of them, and how many there are of each kind that is counted.
//
// A call counts from the decision that lets it in: two that are asked for at once are two. Where its firewall
// does not tell within `patience` that it goes on, it does not count any more. A firewall that comes back
// tells of all its calls; one that stays away for `absence` is taken to have none.
//
// Memory: some 500 octets a call, as many as firewalls follow ([calls] max_calls of each).
#pragma once

#include "sm/decision.h"
#include "sm/shared_counts.h"
#include "sm/string_map.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::sm {

class Calls {
  public:
    using TimePoint = std::chrono::system_clock::time_point;
    // A firewall and its name of the call.
    using Key = std::pair<std::string, std::string>;
    // What a call counts for: "user alice", "profile office".
    using Counters = std::vector<std::string>;

    static constexpr std::chrono::seconds patience{10};
    static constexpr std::size_t most_waiting = 262144; // one more, and the oldest does not count any more
    static constexpr std::chrono::seconds absence{300};

    struct Call {
        Link::CallEvent event; // the newest
        Counters counters;
        TimePoint begun;
        TimePoint answered;    // zero = not yet
        TimePoint waits_until; // zero = its firewall has told of it
        bool confirmed = true; // by a firewall that came back
    };

    // A decision lets it in.
    void expect(const Key& key, const Link::CallEvent& event, Counters counters, TimePoint now);
    // The firewall tells of it: going or answered. `counters` is asked where the call is not known here.
    template<typename CountersOf>
    const Call& note(const Key& key, const Link::CallEvent& event, const CountersOf& counters,
                     TimePoint now) {
        auto found = calls_.find(key);
        if (found == calls_.end()) {
            found = insert(key, event, counters(), now);
        }
        update(found->second, event);
        return found->second;
    }
    // It is over. False: it was not known.
    bool erase(const Key& key);

    // A firewall begins to tell of all its calls, and has done so: what it did not tell of is over, and
    // given.
    void begin_review(const std::string& firewall);
    std::vector<Call> end_review(const std::string& firewall);
    void left(const std::string& firewall, TimePoint now);
    void came(const std::string& firewall);
    // It tells another Security Manager of its calls now.
    void moved_away(const std::string& firewall);
    // Forgets what nobody told of in time; gives the calls of firewalls that stayed away.
    std::vector<std::pair<Key, Call>> expire(TimePoint now);

    [[nodiscard]] const Call* find(const Key& key) const;
    // With those that are counted elsewhere.
    [[nodiscard]] std::uint32_t count(std::string_view counter) const;
    [[nodiscard]] std::uint32_t count_elsewhere(std::string_view counter) const;
    void set_elsewhere(CallCounts counts) { elsewhere_ = std::move(counts); }
    // What is counted here, of counters that `is_wanted`. Calls of firewalls that never came are this
    // process's own: `own_name`.
    template<typename Wanted>
    [[nodiscard]] SharedCounts counts_by_firewall(const std::string& own_name,
                                                  const Wanted& is_wanted) const {
        SharedCounts all;
        for (const std::string& firewall : here_) {
            all[firewall]; // also one without calls: it is here, and not where it was before
        }
        for (const auto& [key, call] : calls_) {
            const bool away = away_.contains(key.first);
            FirewallCounts& firewall = all[away || here_.contains(key.first) ? key.first : own_name];
            firewall.connected = !away;
            firewall.left = away ? away_.at(key.first) : TimePoint();
            for (const std::string& counter : call.counters) {
                if (is_wanted(counter)) {
                    ++firewall.counts[counter];
                }
            }
        }
        return all;
    }
    [[nodiscard]] std::size_t size() const noexcept { return calls_.size(); }

  private:
    using Map = std::map<Key, Call>;
    Map::iterator insert(const Key& key, const Link::CallEvent& event, Counters counters, TimePoint now);
    static void update(Call& call, const Link::CallEvent& event);
    Map::iterator erase(Map::iterator at);
    void give_up_oldest();

    Map calls_;
    StringMap<std::uint32_t> counts_;
    CallCounts elsewhere_;
    std::set<std::string> here_;            // firewalls that came, and did not leave
    std::map<std::string, TimePoint> away_; // firewall -> since when
    std::multimap<TimePoint, Key> waiting_; // for news of them; some have come
};

} // namespace stem::sm
