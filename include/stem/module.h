// SPDX-License-Identifier: Apache-2.0
// The modules of stem/abi/module.h, for people, JSON and metrics.
#pragma once

#include <stem/abi/module.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace stem {

struct ModuleInfo {
    stem_module module;
    unsigned bit;
    bool initial;             // on after an attach that does not say otherwise
    std::string_view label;   // "flow_monitor"
    std::string_view help;    // what it does
    std::string_view without; // what its absence means
};

// All modules, by bit.
std::span<const ModuleInfo> modules();
const ModuleInfo* find_module(std::string_view label); // nullptr: none of that name

inline bool is_on(std::uint32_t bits, const ModuleInfo& info) {
    return (bits & static_cast<std::uint32_t>(info.module)) != 0;
}

} // namespace stem
