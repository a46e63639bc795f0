// SPDX-License-Identifier: Apache-2.0
// The generation of static rules in force, and how the next one takes its place.
#pragma once

#include "ctl/kernel/instance.h"
#include "ctl/kernel/rules.h"

#include <span>

namespace stem::kernel {

// What is in force now. The memory is the kernel's own: counters go on counting while it is read, and stay as
// they are once another generation is in force.
Result<MappedRuleset> rules_in_force(const Instance& instance);

// The rules of a generation, in order.
std::span<const stem_rule> rules_of(const stem_ruleset& generation) noexcept;
// How often rule `index` has matched, summed over the CPUs.
stem_counter hits_of(const stem_ruleset& generation, std::size_t index) noexcept;

// Builds the next generation and puts it in force in one step; its number is the result. Takes the lock. A
// set that does not fit changes nothing.
Result<std::uint64_t> load_rules(const Instance& instance, Rules rules);

} // namespace stem::kernel
