// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_shadow.h"

#include "ctl/kernel/rule_fields.h"

#include <netinet/in.h>

namespace stem::kernel {
namespace {

bool within(const __u64 (&inner)[2], const __u64 (&inner_mask)[2], const __u64 (&outer)[2],
            const __u64 (&outer_mask)[2]) noexcept {
    return (inner_mask[0] & outer_mask[0]) == outer_mask[0] &&
           (inner_mask[1] & outer_mask[1]) == outer_mask[1] && (inner[0] & outer_mask[0]) == outer[0] &&
           (inner[1] & outer_mask[1]) == outer[1];
}

// Families are told apart where a network is named: ::/0 does not hold 0.0.0.0/0.
bool families_within(const stem_rule& inner, const stem_rule& outer) noexcept {
    for (const auto family : {STEM_FAMILY_V4, STEM_FAMILY_V6}) {
        if (accepts_family(inner, family) && !accepts_family(outer, family)) {
            return false;
        }
    }
    return true;
}

// Does `outer` accept every packet that `inner` accepts?
bool covers(const stem_rule& outer, const stem_rule& inner) noexcept {
    constexpr unsigned ways = STEM_MATCH_INBOUND | STEM_MATCH_OUTBOUND;
    const unsigned outer_fields = outer.match & ~(ways | STEM_MATCH_INTERFACE);
    // What the outer one names, the inner one must name, too: so most pairs end here.
    if ((outer_fields & ~unsigned{inner.match}) != 0 ||
        ((inner.match & ways) & ~unsigned{outer.match}) != 0) {
        return false;
    }
    const auto named = [&](unsigned bit) { return (outer_fields & bit) != 0; };
    return (!named(STEM_MATCH_PROTOCOL) || outer.protocol == inner.protocol) &&
           (!named(STEM_MATCH_VLAN) || outer.vlan == inner.vlan) &&
           (!named(STEM_MATCH_ICMP_TYPE) || outer.icmp_type == inner.icmp_type) &&
           (!named(STEM_MATCH_SOURCE_PORT) || (outer.source_port_low <= inner.source_port_low &&
                                               outer.source_port_high >= inner.source_port_high)) &&
           (!named(STEM_MATCH_DESTINATION_PORT) ||
            (outer.destination_port_low <= inner.destination_port_low &&
             outer.destination_port_high >= inner.destination_port_high)) &&
           (!named(STEM_MATCH_SOURCE) ||
            within(inner.source, inner.source_mask, outer.source, outer.source_mask)) &&
           (!named(STEM_MATCH_DESTINATION) ||
            within(inner.destination, inner.destination_mask, outer.destination, outer.destination_mask)) &&
           families_within(inner, outer);
}

} // namespace

std::vector<Shadow> find_shadows(std::span<const stem_rule> rules) {
    std::vector<Shadow> shadows;
    for (std::size_t inner = 0; inner < rules.size(); inner++) {
        for (std::size_t outer = 0; outer < inner; outer++) {
            if (rules[outer].action != STEM_ACTION_LOG && covers(rules[outer], rules[inner])) {
                shadows.push_back({.rule = inner, .by = outer});
                break;
            }
        }
    }
    return shadows;
}

std::vector<std::string> shadow_warnings(const Rules& rules) {
    const auto line = [&](std::size_t rule) {
        return std::to_string(rule < rules.places.size() ? rules.places[rule].line : 0);
    };
    std::vector<std::string> warnings;
    for (const auto& [rule, by] : find_shadows(rules.rules)) {
        warnings.push_back(rules.file + " line " + line(rule) + ": rule '" + rules.rules[rule].name +
                           "' can never match: rule '" + rules.rules[by].name + "' in line " + line(by) +
                           " takes all that it would");
    }
    return warnings;
}

} // namespace stem::kernel
