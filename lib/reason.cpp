// SPDX-License-Identifier: Apache-2.0
#include <stem/reason.h>

#include <array>

namespace stem {
namespace {

constexpr auto table = std::to_array<ReasonInfo>({
#define STEM_REASON_ROW(name, number, kind, label, help) {STEM_##name, STEM_KIND_##kind, label, help},
    STEM_REASONS(STEM_REASON_ROW)
#undef STEM_REASON_ROW
});

constexpr bool numbers_rise_and_fit() {
    for (std::size_t i = 0; i < table.size(); i++) {
        if (static_cast<unsigned>(table[i].reason) >= STEM_REASON_SLOTS ||
            (i > 0 && table[i].reason <= table[i - 1].reason)) {
            return false;
        }
    }
    return true;
}
static_assert(numbers_rise_and_fit(), "reason numbers must rise, be unique and fit the counters");

} // namespace

std::span<const ReasonInfo> reasons() {
    return table;
}

std::string_view label_of(unsigned reason) {
    for (const auto& info : table) {
        if (info.reason == reason) {
            return info.label;
        }
    }
    return "unknown";
}

std::optional<stem_reason> reason_from(std::string_view label) {
    for (const auto& info : table) {
        if (info.label == label) {
            return info.reason;
        }
    }
    return std::nullopt;
}

std::string_view label_of(stem_reason_kind kind) {
    switch (kind) {
    case STEM_KIND_FORWARD:
        return "forward";
    case STEM_KIND_STACK:
        return "stack";
    case STEM_KIND_STEER:
        return "steer";
    case STEM_KIND_DROP:
        return "drop";
    case STEM_KIND_RELEASE:
        return "release";
    case STEM_KIND_ANSWER:
        return "answer";
    case STEM_KIND_NOTE:
        return "note";
    }
    return "unknown";
}

std::string_view label_of(stem_direction direction) {
    return direction == STEM_INBOUND ? "inbound" : "outbound";
}

} // namespace stem
