// SPDX-License-Identifier: Apache-2.0
// How far each user has gone towards the limits of outgoing calls (Limit): what was begun within a minute,
// and what went to one number in a row. How many are in progress, Calls knows.
//
// A call counts once, however often it is attempted: what an attempt counted is kept until the call is over,
// so that it can be taken back.
//
// Of several Security Managers over one database each counts what it has decided of, and adds what the others
// have told of theirs.
//
// Memory: some 500 octets for each user and limit that were used within an hour, 800 more where all calls go
// to one number; the same of the newest 5,000 of each other Security Manager; and some 300 for each call and
// limit, of 65,536 calls at most.
#pragma once

#include "sm/calls.h"
#include "sm/directory.h"
#include "sm/shared_usage.h"

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::sm {

// An outgoing call, as limits see it.
struct Outgoing {
    std::string user;        // of the caller; any_caller = nobody's
    std::string callee;      // number, or address of record
    std::string number;      // "" = none
    bool unreadable = false; // whom it calls: it may be anybody
};

struct Finding {
    std::string limit;
    std::string user;
    std::string what; // "calls_per_minute", "concurrent", "duration", "sequential"
    std::int64_t value = 0;
    std::int64_t level = 0;
    bool critical = false;

    [[nodiscard]] std::string to_string() const;
};

class Limits {
  public:
    // Who calls whom, as the Directory knows it.
    static Outgoing outgoing_of(const Directory& directory, const std::string& caller,
                                const std::string& callee);
    [[nodiscard]] static bool covers(const Limit& limit, const Outgoing& call, TimePoint now);
    [[nodiscard]] static std::string counter(const Limit& limit, const std::string& user);

    // What one more call would come to: findings of warning, and of critical level. Changes nothing.
    [[nodiscard]] std::vector<Finding> judge(const Limit& limit, const Outgoing& call, const Calls& calls,
                                             TimePoint now) const;
    // The call was let in. take_back() undoes it, until settle(); one without a name stays.
    void count(const Calls::Key& key, const Limit& limit, const Outgoing& call, TimePoint now);
    // The attempt does not count: the call is asked for anew, or will be.
    void take_back(const Calls::Key& key);
    // The call is over, and counts.
    void settle(const Calls::Key& key);
    static constexpr std::size_t most_open = 65536; // one more, and the oldest counts for good
    // Whoever asks for credentials has called nobody yet (RFC 3261 22.2, 22.3). `cause`: of a call that has
    // ended.
    [[nodiscard]] static bool is_to_come_again(std::string_view cause);
    // Forgets what nobody has used for an hour. Once a minute.
    void expire(TimePoint now);

    // What the other Security Managers need to know, and whether that is other than when it was asked for
    // last. It is asked for anew once a minute in any case, for those whom it did not reach.
    static constexpr std::size_t most_told = 5000; // users and limits: the last used
    [[nodiscard]] SharedUsage usage_to_share(const Directory& directory, TimePoint now) const;
    [[nodiscard]] bool has_changed() const noexcept { return changed_; }
    void told() noexcept { changed_ = false; }
    // In place of what that one told before.
    void take_usage(const std::string& manager, SharedUsage usage) {
        others_.insert_or_assign(manager, std::move(usage));
    }

    [[nodiscard]] std::size_t size() const noexcept { return usage_.size(); }
    [[nodiscard]] std::size_t open() const noexcept { return open_.size(); } // calls that can be taken back
    [[nodiscard]] std::uint32_t calls_in_minute(const std::string& limit, const std::string& user,
                                                TimePoint now) const;

  private:
    static constexpr std::int64_t window = 60; // s
    struct Row : CallRow {
        std::uint64_t id = 0;
        void take_back(TimePoint at);
    };
    struct Usage {
        std::array<std::uint32_t, window> begun{}; // by second, modulo the window
        std::int64_t newest = 0;                   // second, since 1970
        Row row;                                   // to which the last call belongs
        Row before;                                // goes on where all of it is taken back
        std::uint64_t rows = 0;                    // that there have been

        void move_to(std::int64_t second);
        void add_to_row(const std::string& callee, TimePoint at);
        void take_back(TimePoint at, std::uint64_t row_id);
        // Within the minute that ends with `second`: in which seconds, and how many.
        [[nodiscard]] std::vector<std::pair<std::int64_t, std::uint32_t>>
        begun_until(std::int64_t second) const;
        [[nodiscard]] std::uint32_t sum(std::int64_t second) const;
    };

    struct Counted {
        UsageKey usage;
        TimePoint at;
        std::uint64_t row_id;
    };
    struct Open {
        std::vector<Counted> counted;
        std::list<Calls::Key>::iterator age;
    };
    void note(const Calls::Key& key, Counted counted);
    [[nodiscard]] std::uint32_t sum(const UsageKey& key, TimePoint now) const;
    [[nodiscard]] std::uint32_t in_a_row(const UsageKey& key, std::string_view callee) const;

    std::map<UsageKey, Usage> usage_;
    std::map<Calls::Key, Open> open_;
    std::list<Calls::Key> ages_; // of open_, the oldest first
    std::map<std::string, SharedUsage> others_;
    bool changed_ = false;
};

} // namespace stem::sm
