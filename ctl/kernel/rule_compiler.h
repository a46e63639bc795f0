// SPDX-License-Identifier: Apache-2.0
// Rules made into what the kernel walks (stem/abi/ruleset.h). Needs no privilege and no kernel.
#pragma once

#include "ctl/kernel/rules.h"

#include <stem/abi/ruleset.h>

namespace stem::kernel {

// Writes all of `out` that the kernel reads, counters at 0, but not `generation` and `loaded_ns`; `out` need
// not be empty. Interfaces must have been resolved. Fails when the rules do not fit: too many, or with too
// many overlaps. `out` is then in no state to be used.
Result<> compile_rules(const Rules& rules, stem_ruleset& out);
// Only whether they would fit.
Result<> check_rules_fit(const Rules& rules);

} // namespace stem::kernel
