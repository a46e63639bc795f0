// SPDX-License-Identifier: Apache-2.0
// Rules that can never match, since an earlier one takes every packet that they would.
#pragma once

#include "ctl/kernel/rules.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace stem::kernel {

struct Shadow {
    std::size_t rule = 0; // never matches
    std::size_t by = 0;   // the earlier one
};

// One for each such rule, in order. Only a single earlier rule is looked for: what several take together goes
// unnoticed. Rules that only log hide nothing.
std::vector<Shadow> find_shadows(std::span<const stem_rule> rules);

// "rules.toml line 12: rule 'b' can never match: rule 'a' in line 5 takes all that it would".
std::vector<std::string> shadow_warnings(const Rules& rules);

} // namespace stem::kernel
