// SPDX-License-Identifier: Apache-2.0
// What Security Managers over one database tell each other once a second: how many calls in progress they
// count, by firewall, so that bounds hold over all of them
// (docs/decisions/0023-calls-are-followed-and-recorded.md).
#pragma once

#include "sm/string_map.h"

#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sm {

using CallCounts = StringMap<std::uint32_t>; // by counter (Calls::Counters)

struct FirewallCounts {
    bool connected = true; // to the Security Manager that tells; else it was, lately
    CallCounts counts;
    std::chrono::system_clock::time_point left = {}; // of ours that is not connected: since when; is not told
    bool operator==(const FirewallCounts&) const = default;
};
// By firewall.
using SharedCounts = std::map<std::string, FirewallCounts, std::less<>>;
// What another Security Manager counts, and when it said so, by our clock.
struct ToldCounts {
    SharedCounts counts;
    std::chrono::system_clock::time_point at;
};

std::string to_text(const SharedCounts& counts);
// Fails on what to_text() does not write.
Result<SharedCounts> shared_counts_from(std::string_view text);

// A firewall that goes from one Security Manager to another tells it of all its calls, and must not count
// twice.
struct CountedElsewhere {
    CallCounts counts;
    // Firewalls that were ours, and are connected to another now.
    std::vector<std::string> moved;
};
// `others`: the one that was told last comes last.
CountedElsewhere counted_elsewhere(const SharedCounts& ours, std::span<const ToldCounts> others);

} // namespace stem::sm
