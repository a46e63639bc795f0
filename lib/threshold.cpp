// SPDX-License-Identifier: Apache-2.0
#include <stem/threshold.h>

#include <algorithm>
#include <array>
#include <string>

namespace stem {
namespace {

constexpr auto table = std::to_array<ThresholdInfo>({
#define STEM_THRESHOLD_ROW(name, unit, initial, low, high, help)                                             \
    {#name, unit, initial, low, high, help, &stem_thresholds::name},
    STEM_THRESHOLDS(STEM_THRESHOLD_ROW)
#undef STEM_THRESHOLD_ROW
});

constexpr bool defaults_are_in_range() {
    return std::ranges::all_of(table, [](const ThresholdInfo& info) {
        return info.low <= info.initial && info.initial <= info.high;
    });
}
static_assert(defaults_are_in_range(), "a threshold's default must be in its range");

} // namespace

std::span<const ThresholdInfo> thresholds() {
    return table;
}

const ThresholdInfo* find_threshold(std::string_view name) {
    const auto* found = std::ranges::find(table, name, &ThresholdInfo::name);
    return found == table.end() ? nullptr : found;
}

Result<> check_threshold(const ThresholdInfo& info, std::int64_t value) {
    if (value >= info.low && value <= info.high) {
        return {};
    }
    const std::string range =
        std::to_string(info.low) + " to " + std::to_string(info.high) + " " + std::string(info.unit);
    return std::unexpected(
        Error{.attempt = "set threshold " + std::string(info.name) + " to " + std::to_string(value),
              .cause = "it is not in its range, " + range,
              .remedy = "take a value of " + range + (info.low == 0 ? "; 0 switches the check off" : ""),
              .code = EINVAL});
}

} // namespace stem
