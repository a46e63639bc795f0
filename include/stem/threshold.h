// SPDX-License-Identifier: Apache-2.0
// The thresholds of stem/abi/threshold.h, for people, JSON, metrics and whoever keeps them.
#pragma once

#include <stem/abi/threshold.h>
#include <stem/error.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace stem {

struct ThresholdInfo {
    std::string_view name; // "keepalive_rate"
    std::string_view unit; // "packets/s"
    std::uint32_t initial;
    std::uint32_t low; // inclusive; where it is 0, 0 switches the check off
    std::uint32_t high;
    std::string_view help;
    std::uint32_t stem_thresholds::* field;
};

// In the order of the list.
std::span<const ThresholdInfo> thresholds();
const ThresholdInfo* find_threshold(std::string_view name); // nullptr: none of that name

// Refuses a value outside the range: EINVAL, and the error names threshold, value and range.
Result<> check_threshold(const ThresholdInfo& info, std::int64_t value);

} // namespace stem
