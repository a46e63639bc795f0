// SPDX-License-Identifier: Apache-2.0
// Admission of calls: what the Decider says, within the bounds of calls in progress and the limits of
// outgoing calls; and the record of it. One for each Security Manager, embedded or not, on its event loop.
#pragma once

#include "sm/audit/trail.h"
#include "sm/calls.h"
#include "sm/decider.h"
#include "sm/limits.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sm {

// X(NAME, label, help)
#define STEM_ADMISSION_COUNTS(X)                                                                             \
    X(decisions, "decisions", "calls decided of")                                                            \
    X(busy, "busy", "calls refused because a user or a profile had as many as max_calls allows")             \
    X(limit_warnings, "limit_warnings", "warning levels of limits of outgoing calls that were passed")       \
    X(limit_refusals, "limit_refusals", "outgoing calls refused at a critical level")                        \
    X(blocks, "blocks", "users whose outgoing calls were blocked at a critical level")                       \
    X(blocked, "blocked", "outgoing calls refused because the user is blocked")                              \
    X(calls_forgotten, "calls_forgotten", "calls in progress of which their firewall did not know any more")

struct AdmissionCounts {
#define STEM_ADMISSION_COUNT(name, label, help) std::uint64_t name = 0;
    STEM_ADMISSION_COUNTS(STEM_ADMISSION_COUNT)
#undef STEM_ADMISSION_COUNT
};

class Admission {
  public:
    using Clock = std::function<TimePoint()>;
    // Both must outlive it; `trail` nullptr: nothing is recorded.
    Admission(Directory& directory, const Settings& settings, audit::Trail* trail = nullptr,
              Clock clock = std::chrono::system_clock::now);

    // `firewall` asks: "firewall fw1".
    Decision decide(const Query& query, const std::string& firewall);
    // What was refused before it was decided, because nobody knows who calls (sm/auth): for the record.
    void refused(const Query& query, const Decision& refusal, const std::string& firewall);
    // The same without a call: counts and records nothing.
    struct Explanation {
        Decision decision;
        Steps steps;
    };
    [[nodiscard]] Explanation explain(const Query& query) const;

    void follow(const Link::CallEvent& event, const std::string& firewall);
    // A firewall that has come back tells of its calls in progress, in as many parts as it takes.
    void review(const std::vector<Link::CallEvent>& calls, bool first, bool last,
                const std::string& firewall);
    void came(const std::string& firewall);
    void left(const std::string& firewall) { calls_.left(firewall, clock_()); }
    void report(const Link::StreamEnd& end, const std::string& firewall);
    // Over a shared store: bounds are held together with the other Security Managers. `name`: this one's
    // among them.
    // What it counts of a process that is a firewall itself is told as the firewall `own`.
    void share_counts_as(std::string name, std::string own);
    // Once a second, by tick(): what is told to the others, and what they have told.
    [[nodiscard]] SharedCounts counts_to_share() const;
    void take_counts(std::vector<ToldCounts> others);

    // Once a second.
    void tick();
    void set_settings(const Settings& settings) { decider_ = Decider(directory_, settings); }
    // Warnings, for the log.
    void on_warning(std::function<void(const std::string&)> listener) { warn_ = std::move(listener); }

    [[nodiscard]] const Decider& decider() const noexcept { return decider_; }
    [[nodiscard]] const Calls& calls() const noexcept { return calls_; }
    [[nodiscard]] const Limits& limits() const noexcept { return limits_; }
    [[nodiscard]] const AdmissionCounts& counts() const noexcept { return counts_; }
    [[nodiscard]] audit::Trail* trail() const noexcept { return trail_; }
    [[nodiscard]] TimePoint now() const { return clock_(); }

    // "user alice", "profile office": names of what Calls counts.
    static std::string user_counter(std::string_view user);
    static std::string profile_counter(std::string_view profile);

  private:
    // What the bounds make of a decision that lets a call in.
    struct Bounded {
        std::optional<Decision> refusal;
        std::vector<Finding> findings;
        std::vector<const Limit*> limits; // that cover the call
        std::optional<Outgoing> outgoing;
        Calls::Counters counters;
        std::chrono::seconds max_duration{0};
        enum class Cause { none, busy, blocked, limit } cause = Cause::none;
    };
    Bounded bound_inbound(const Decision& decision, Steps* steps) const;
    Bounded bound_outbound(const Query& query, const Decision& decision, Steps* steps) const;
    Bounded bound(const Query& query, const Decision& decision, Steps* steps) const;
    void take_in(const Bounded& bounded, const Calls::Key& key);
    void act_on(const Bounded& bounded, const Query& query, const std::string& firewall);
    [[nodiscard]] Calls::Counters counters_of(const Link::CallEvent& event) const;
    [[nodiscard]] bool is_bound(std::string_view counter) const;
    void share_counts(TimePoint now);
    void share_usage();
    void weigh_counts();
    void watch_duration(const Calls::Key& key, const Calls::Call& call);
    void end(const Calls::Call& call, const std::string& firewall, std::string cause);
    void record(const audit::Record& record);
    void warn(const std::string& text);

    Directory& directory_;
    Decider decider_;
    audit::Trail* trail_;
    Clock clock_;
    Calls calls_;
    Limits limits_;
    AdmissionCounts counts_;
    struct Watch {
        Calls::Key call;
        std::string limit;
        std::int64_t seconds;
    };
    std::multimap<TimePoint, Watch> durations_; // warning levels to come
    std::function<void(const std::string&)> warn_;
    std::map<std::string, TimePoint> warned_; // what the log was told, for a minute
    int ticks_ = 0;
    std::string shared_name_; // "" = no counts are shared
    std::string own_name_;
    std::vector<ToldCounts> counts_of_others_;
    TimePoint usage_read_;                                    // by the database's clock; zero = never
    std::optional<std::chrono::milliseconds> database_ahead_; // its clock, of ours
    bool usage_told_ = false;
};

} // namespace stem::sm
