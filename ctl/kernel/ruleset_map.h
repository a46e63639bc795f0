// SPDX-License-Identifier: Apache-2.0
// The generation of static rules in force, and how the next one takes its place.
#pragma once

#include "ctl/kernel/instance.h"

namespace stem::kernel {

// What is in force now, counters included.
Result<stem_ruleset> rules_in_force(const Instance& instance);

// Builds the next generation and puts it in force in one step; its number is the result. Takes the lock.
Result<std::uint64_t> load_rules(const Instance& instance, stem_ruleset rules);

} // namespace stem::kernel
