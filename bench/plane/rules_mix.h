// SPDX-License-Identifier: Apache-2.0
// The same rules in the words of STEM and of nftables. All but the last are about networks that the
// generator's packets do not come from; they name what rules of a firewall before telephones do: networks of
// both sides, UDP, a range of ports.
#pragma once

#include "plane/generator.h"

#include <string>

namespace stem::bench {

struct RulesMix {
    unsigned count = 1;
    bool last_matches = true; // else no rule does, and the policy passes
    Family family = Family::v4;
};

std::string stem_rules(const RulesMix& mix);
// A chain of rules, one after the other.
std::string nftables_rules(const RulesMix& mix);
// One rule with a set of intervals of source . destination . port.
std::string nftables_set(const RulesMix& mix);

} // namespace stem::bench
