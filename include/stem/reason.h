// SPDX-License-Identifier: Apache-2.0
// The reasons of stem/abi/reason.h with their labels, for people, JSON and metrics.
#pragma once

#include <stem/abi/reason.h>

#include <optional>
#include <span>
#include <string_view>

namespace stem {

struct ReasonInfo {
    stem_reason reason;
    stem_reason_kind kind;
    std::string_view label; // "no_pinhole"
    std::string_view help;
};

// All reasons, by number.
std::span<const ReasonInfo> reasons();
// "unknown" for a number that this build does not know.
std::string_view label_of(unsigned reason);
std::optional<stem_reason> reason_from(std::string_view label);
std::string_view label_of(stem_reason_kind kind);    // "drop"
std::string_view label_of(stem_direction direction); // "inbound", "outbound"

} // namespace stem
