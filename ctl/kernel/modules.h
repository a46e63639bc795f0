// SPDX-License-Identifier: Apache-2.0
// Fresh programs on an attached instance, under traffic: its maps, its settings and its links stay, and no
// packet is lost or judged by a mixture. How: docs/decisions/0014-modules-and-thresholds.md.
//
// A failure at any point leaves what ran before in force.
#pragma once

#include "ctl/kernel/instance.h"

#include <array>
#include <cstdint>

namespace stem::kernel {

// What the programs on the two ports were loaded with (bits of enum stem_module): the truth, where `meta`
// tells what was meant. They differ from it, or from each other, after an interrupted change only.
Result<std::array<std::uint32_t, STEM_PORTS>> running_modules(const Instance& instance);

struct ModuleChange {
    stem_meta before{};
    stem_meta after{};
};

// Modules whose bits are in `enable` are on afterwards, those in `disable` off, others as they were. What is
// so already costs nothing.
Result<ModuleChange> switch_modules(const Locations& locations, std::string_view instance,
                                    std::uint32_t enable, std::uint32_t disable);

// This version's programs in place of those that run. Refused when the instance's maps are not this
// version's.
Result<ModuleChange> upgrade(const Locations& locations, std::string_view instance);

} // namespace stem::kernel
