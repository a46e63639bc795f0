// SPDX-License-Identifier: Apache-2.0
// What Security Managers over one database tell each other of the limits of outgoing calls: what was begun
// within a minute, and what went to one number in a row
// (docs/decisions/0023-calls-are-followed-and-recorded.md).
//
// By Security Manager, and not by firewall as calls in progress are: a call that was begun stays where it was
// counted, whatever becomes of its firewall. By time, so that it holds on when who told it is gone, and runs
// out by itself.
#pragma once

#include "sm/model.h"

#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::sm {

using UsageKey = std::pair<std::string, std::string>; // limit and user

// Calls to one number, the last ones that its user made.
struct CallRow {
    static constexpr std::size_t most_times = 100;

    std::string callee;
    std::uint32_t calls = 0;
    std::vector<TimePoint> times; // of the newest
    TimePoint broken;             // the last call to another number, before it; zero = there was none

    [[nodiscard]] TimePoint last() const { return times.empty() ? broken : times.back(); }
    // Of a row of more than `most_times` only these can be told apart.
    [[nodiscard]] std::uint32_t calls_after(TimePoint at) const;
    [[nodiscard]] TimePoint last_to_another(std::string_view number) const {
        return callee == number ? broken : last();
    }
    bool operator==(const CallRow&) const = default;
};

struct ToldUsage {
    std::vector<std::pair<std::int64_t, std::uint32_t>> begun; // in which second, since 1970, and how many
    CallRow row;
    bool operator==(const ToldUsage&) const = default;
};
using SharedUsage = std::map<UsageKey, ToldUsage>;

// Times are told by the database's clock, since machines' own differ: `ahead` is how far it is ahead of ours.
std::string to_text(const SharedUsage& usage, std::chrono::milliseconds ahead);
// Fails on what to_text() does not write.
Result<SharedUsage> shared_usage_from(std::string_view text, std::chrono::milliseconds ahead);

// How many calls to `callee` there were since the last to another number, whoever counted that. Each
// Security Manager has one row; the first is ours.
std::uint32_t calls_in_a_row(std::span<const CallRow* const> rows, std::string_view callee);

} // namespace stem::sm
