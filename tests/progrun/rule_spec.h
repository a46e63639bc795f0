// SPDX-License-Identifier: Apache-2.0
// Static rules as tests write them: what is named must match.
#pragma once

#include <stem/abi/rule.h>
#include <stem/address.h>

#include <cstring>
#include <optional>

namespace stem::test {

struct PortRange {
    std::uint16_t low = 0; // inclusive
    std::uint16_t high = 0;
};

struct RuleSpec {
    stem_rule_action action = STEM_ACTION_PASS;
    std::uint8_t flags = 0; // enum stem_rule_flag
    std::uint16_t ways = STEM_MATCH_INBOUND | STEM_MATCH_OUTBOUND;
    std::optional<Cidr> source = {};
    std::optional<Cidr> destination = {};
    std::optional<std::uint8_t> protocol = {};
    std::optional<PortRange> sport = {};
    std::optional<PortRange> dport = {};
    std::optional<std::uint8_t> icmp_type = {};
    std::optional<std::uint16_t> vlan = {};
};

inline void set_network(const Cidr& cidr, __u64 (&network)[2], __u64 (&mask)[2]) {
    std::array<std::uint8_t, 16> bits{};
    for (unsigned bit = 0; bit < cidr.mapped_length(); bit++) {
        bits[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
    }
    std::memcpy(mask, bits.data(), sizeof(mask));
    std::memcpy(network, cidr.network().octets().data(), sizeof(network));
}

[[nodiscard]] inline stem_rule to_rule(const RuleSpec& spec) {
    stem_rule rule{};
    unsigned match = spec.ways;
    rule.action = static_cast<std::uint8_t>(spec.action);
    rule.flags = spec.flags;
    if (spec.source) {
        match |= STEM_MATCH_SOURCE;
        set_network(*spec.source, rule.source, rule.source_mask);
    }
    if (spec.destination) {
        match |= STEM_MATCH_DESTINATION;
        set_network(*spec.destination, rule.destination, rule.destination_mask);
    }
    if (spec.protocol) {
        match |= STEM_MATCH_PROTOCOL;
        rule.protocol = *spec.protocol;
    }
    if (spec.sport) {
        match |= STEM_MATCH_SOURCE_PORT;
        rule.source_port_low = spec.sport->low;
        rule.source_port_high = spec.sport->high;
    }
    if (spec.dport) {
        match |= STEM_MATCH_DESTINATION_PORT;
        rule.destination_port_low = spec.dport->low;
        rule.destination_port_high = spec.dport->high;
    }
    if (spec.icmp_type) {
        match |= STEM_MATCH_ICMP_TYPE;
        rule.icmp_type = *spec.icmp_type;
    }
    if (spec.vlan) {
        match |= STEM_MATCH_VLAN;
        rule.vlan = *spec.vlan;
    }
    rule.match = static_cast<std::uint16_t>(match);
    return rule;
}

} // namespace stem::test
