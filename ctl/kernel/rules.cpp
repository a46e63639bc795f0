// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rules.h"

#include <algorithm>

namespace stem::kernel {

bool names_interfaces(const Rules& rules) noexcept {
    return std::ranges::any_of(rules.places, [](const RulePlace& place) { return !place.interface.empty(); });
}

Result<> resolve_interfaces(Rules& rules, const std::array<std::string, STEM_PORTS>& ports) {
    for (std::size_t i = 0; i < rules.places.size() && i < rules.rules.size(); i++) {
        const RulePlace& place = rules.places[i];
        if (place.interface.empty()) {
            continue;
        }
        const auto wrong = [&](std::string cause, std::string remedy) {
            return fail("read rules, " + rules.file + " line " + std::to_string(place.interface_line) +
                            ", key 'interface'",
                        std::move(cause), std::move(remedy));
        };
        const auto port = std::ranges::find(ports, place.interface);
        if (port == ports.end()) {
            return wrong("'" + place.interface + "' is neither port of this instance",
                         "write " + ports[STEM_PORT_EXTERNAL] + " (external) or " +
                             ports[STEM_PORT_INTERNAL] + " (internal)");
        }
        // A packet's direction has the number of the port that it came in by.
        const bool external = port - ports.begin() == STEM_PORT_EXTERNAL;
        const unsigned way = external ? STEM_MATCH_INBOUND : STEM_MATCH_OUTBOUND;
        stem_rule& rule = rules.rules[i];
        if ((rule.match & way) == 0) {
            return wrong(std::string("what comes in by ") + place.interface + " is " +
                             (external ? "inbound" : "outbound") + ", but the rule's direction is not",
                         "leave one of the two out");
        }
        const unsigned both = STEM_MATCH_INBOUND | STEM_MATCH_OUTBOUND;
        rule.match = static_cast<std::uint16_t>((rule.match & ~both) | way | STEM_MATCH_INTERFACE);
    }
    return {};
}

} // namespace stem::kernel
