// SPDX-License-Identifier: Apache-2.0
// STEM and nftables with static rules, in the middle of a line.
#pragma once

#include "plane/rules_mix.h"
#include "plane/subject.h"

namespace stem::bench {

enum class Ruleset { linear, set };

// As an operator has it: `stemctl attach`, `stemctl rules load`.
Result<std::unique_ptr<Subject>> make_stem_rules(const Line& line, const RulesMix& mix);
Result<std::unique_ptr<Subject>> make_nftables_rules(const Line& line, const RulesMix& mix, Ruleset kind);

} // namespace stem::bench
