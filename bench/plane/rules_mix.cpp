// SPDX-License-Identifier: Apache-2.0
#include "plane/rules_mix.h"

#include <fmt/format.h>

namespace stem::bench {
namespace {

struct Rule {
    std::string source;
    std::string destination;
    unsigned first_port;
    unsigned last_port;
};

// Rule number `number` of `mix`. Sources are all different, destinations and ports recur.
Rule rule_of(const RulesMix& mix, unsigned number) {
    const bool v4 = mix.family == Family::v4;
    if (mix.last_matches && number + 1 == mix.count) {
        return {.source = v4 ? "198.18.0.0/16" : "2001:2:0:18::/64",
                .destination = v4 ? "198.19.0.0/16" : "2001:2:0:19::/64",
                .first_port = 30000,
                .last_port = 65535};
    }
    const unsigned site = number % 256;
    const unsigned first_port = 20000 + number % 1000 * 10;
    return {.source = v4 ? fmt::format("10.{}.{}.0/24", number / 256, number % 256)
                         : fmt::format("2001:db8:{:x}::/48", number),
            .destination =
                v4 ? fmt::format("198.19.{}.0/24", site) : fmt::format("2001:2:0:19::{:x}:0/112", site),
            .first_port = first_port,
            .last_port = first_port + 9};
}

std::string nftables_table(std::string_view sets, std::string_view rules) {
    return fmt::format(
        "table inet rules\ndelete table inet rules\ntable inet rules {{\n{}"
        "    chain forward {{\n        type filter hook forward priority filter; policy drop;\n"
        "{}    }}\n}}\n",
        sets, rules);
}

} // namespace

std::string stem_rules(const RulesMix& mix) {
    std::string text =
        fmt::format("[policy]\ninbound = \"{}\"\noutbound = \"drop\"\n", mix.last_matches ? "drop" : "pass");
    for (unsigned number = 0; number < mix.count; ++number) {
        const auto rule = rule_of(mix, number);
        text += fmt::format("\n[[rule]]\nname = \"rule-{}\"\naction = \"pass\"\ndirection = \"inbound\"\n"
                            "protocol = \"udp\"\nsource = \"{}\"\ndestination = \"{}\"\n"
                            "destination_port = \"{}-{}\"\n",
                            number, rule.source, rule.destination, rule.first_port, rule.last_port);
    }
    return text;
}

std::string nftables_rules(const RulesMix& mix) {
    const char* ip = mix.family == Family::v4 ? "ip" : "ip6";
    std::string rules;
    for (unsigned number = 0; number < mix.count; ++number) {
        const auto rule = rule_of(mix, number);
        rules += fmt::format("        {0} saddr {1} {0} daddr {2} udp dport {3}-{4} accept\n", ip,
                             rule.source, rule.destination, rule.first_port, rule.last_port);
    }
    return nftables_table("", rules + (mix.last_matches ? "" : "        accept\n"));
}

std::string nftables_set(const RulesMix& mix) {
    const char* ip = mix.family == Family::v4 ? "ip" : "ip6";
    std::string elements;
    for (unsigned number = 0; number < mix.count; ++number) {
        const auto rule = rule_of(mix, number);
        elements += fmt::format("{}{} . {} . {}-{}", number == 0 ? "" : ",\n            ", rule.source,
                                rule.destination, rule.first_port, rule.last_port);
    }
    const char* type = mix.family == Family::v4 ? "ipv4_addr" : "ipv6_addr";
    return nftables_table(
        fmt::format("    set passed {{\n        type {0} . {0} . inet_service; flags interval;\n"
                    "        elements = {{ {1} }}\n    }}\n",
                    type, elements),
        fmt::format("        {0} saddr . {0} daddr . udp dport @passed accept\n{1}", ip,
                    mix.last_matches ? "" : "        accept\n"));
}

} // namespace stem::bench
