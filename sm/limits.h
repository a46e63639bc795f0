// SPDX-License-Identifier: Apache-2.0
// How far each user has gone towards the limits of outgoing calls (Limit): what was begun within a minute,
// and what went to one number in a row. How many are in progress, Calls knows.
//
// Memory: some 300 octets for each user and limit that were used within an hour.
#pragma once

#include "sm/calls.h"
#include "sm/directory.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace stem::sm {

// An outgoing call, as limits see it.
struct Outgoing {
    std::string user;   // of the caller; any_caller = nobody's
    std::string callee; // number, or address of record
    std::string number; // "" = none
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
    // The call was let in.
    void count(const Limit& limit, const Outgoing& call, TimePoint now);
    // Forgets what nobody has used for an hour.
    void expire(TimePoint now);
    [[nodiscard]] std::size_t size() const noexcept { return usage_.size(); }
    [[nodiscard]] std::uint32_t calls_in_minute(const std::string& limit, const std::string& user,
                                                TimePoint now) const;

  private:
    static constexpr std::int64_t window = 60; // s
    struct Usage {
        std::array<std::uint32_t, window> begun{}; // by second, modulo the window
        std::int64_t newest = 0;                   // second, since 1970
        std::string callee;                        // of the last call
        std::uint32_t in_a_row = 0;

        void move_to(std::int64_t second);
        [[nodiscard]] std::uint32_t sum(std::int64_t second) const;
    };

    std::map<std::pair<std::string, std::string>, Usage> usage_; // by limit and user
};

} // namespace stem::sm
