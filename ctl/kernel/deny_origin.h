// SPDX-License-Identifier: Apache-2.0
// Who denied something (enum stem_deny_origin), by name.
#pragma once

#include <stem/abi/deny.h>

#include <array>
#include <optional>
#include <string_view>

namespace stem::kernel {

#define STEM_DENY_ORIGIN_VALUE(name, number, label) STEM_DENY_##name,
inline constexpr std::array deny_origins = {STEM_DENY_ORIGINS(STEM_DENY_ORIGIN_VALUE)};
#undef STEM_DENY_ORIGIN_VALUE

// "operator", "sm", ...; "unknown" for a number that this version does not know.
constexpr std::string_view name_of_origin(unsigned origin) {
    switch (origin) {
#define STEM_DENY_ORIGIN_NAME(name, number, label)                                                           \
    case number:                                                                                             \
        return label;
        STEM_DENY_ORIGINS(STEM_DENY_ORIGIN_NAME)
#undef STEM_DENY_ORIGIN_NAME
    default:
        return "unknown";
    }
}

constexpr std::optional<stem_deny_origin> deny_origin_from(std::string_view name) {
    for (const auto origin : deny_origins) {
        if (name == name_of_origin(origin)) {
            return origin;
        }
    }
    return std::nullopt;
}

} // namespace stem::kernel
