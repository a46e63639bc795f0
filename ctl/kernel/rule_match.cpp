// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_match.h"

#include "ctl/kernel/rule_fields.h"

#include <netinet/in.h>

#include <cstring>

namespace stem::kernel {
namespace {

bool in_network(const Address& address, const __u64 (&network)[2], const __u64 (&mask)[2]) noexcept {
    __u64 words[2];
    std::memcpy(words, address.octets().data(), sizeof(words));
    return (words[0] & mask[0]) == network[0] && (words[1] & mask[1]) == network[1];
}

unsigned way_of(stem_direction direction) noexcept {
    return direction == STEM_INBOUND ? STEM_MATCH_INBOUND : STEM_MATCH_OUTBOUND;
}

// One test for each field; `Visit` is called with the field's bit in `match` and its outcome.
template<typename Visit>
void visit_fields(const stem_rule& rule, const PacketFields& packet, Visit visit) {
    const auto named = [&](unsigned bit) { return (rule.match & bit) != 0; };
    const bool family = accepts_family(rule, packet.is_v6() ? STEM_FAMILY_V6 : STEM_FAMILY_V4);
    if (!named(STEM_MATCH_INBOUND) || !named(STEM_MATCH_OUTBOUND)) {
        visit(named(STEM_MATCH_INTERFACE) ? STEM_MATCH_INTERFACE : STEM_MATCH_INBOUND,
              named(way_of(packet.direction)));
    }
    if (named(STEM_MATCH_SOURCE)) {
        visit(STEM_MATCH_SOURCE, family && in_network(packet.source, rule.source, rule.source_mask));
    }
    if (named(STEM_MATCH_DESTINATION)) {
        visit(STEM_MATCH_DESTINATION,
              family && in_network(packet.destination, rule.destination, rule.destination_mask));
    }
    if (named(STEM_MATCH_PROTOCOL)) {
        visit(STEM_MATCH_PROTOCOL, rule.protocol == packet.protocol);
    }
    if (named(STEM_MATCH_SOURCE_PORT)) {
        visit(STEM_MATCH_SOURCE_PORT, packet.has_ports() && packet.source_port >= rule.source_port_low &&
                                          packet.source_port <= rule.source_port_high);
    }
    if (named(STEM_MATCH_DESTINATION_PORT)) {
        visit(STEM_MATCH_DESTINATION_PORT, packet.has_ports() &&
                                               packet.destination_port >= rule.destination_port_low &&
                                               packet.destination_port <= rule.destination_port_high);
    }
    if (named(STEM_MATCH_ICMP_TYPE)) {
        visit(STEM_MATCH_ICMP_TYPE, packet.has_icmp_type() && rule.icmp_type == packet.icmp_type);
    }
    if (named(STEM_MATCH_VLAN)) {
        visit(STEM_MATCH_VLAN, rule.vlan == packet.vlan);
    }
}

std::string port_text(const PacketFields& packet, std::uint16_t port) {
    return packet.has_ports() ? std::to_string(port) : packet.fragment ? "none: a fragment" : "none";
}

std::string vlan_text(std::uint16_t vlan) {
    return vlan == 0 ? "untagged" : std::to_string(vlan);
}

FieldCheck check_of(unsigned bit, const stem_rule& rule, const PacketFields& packet) {
    const std::string direction = packet.direction == STEM_INBOUND ? "inbound" : "outbound";
    switch (bit) {
    case STEM_MATCH_SOURCE:
        return {.field = "source", .wanted = rule_source(rule), .found = packet.source.to_string()};
    case STEM_MATCH_DESTINATION:
        return {.field = "destination",
                .wanted = rule_destination(rule),
                .found = packet.destination.to_string()};
    case STEM_MATCH_PROTOCOL:
        return {.field = "protocol",
                .wanted = protocol_name(rule.protocol),
                .found = protocol_name(packet.protocol)};
    case STEM_MATCH_SOURCE_PORT:
        return {.field = "source_port",
                .wanted = rule_source_port(rule),
                .found = port_text(packet, packet.source_port)};
    case STEM_MATCH_DESTINATION_PORT:
        return {.field = "destination_port",
                .wanted = rule_destination_port(rule),
                .found = port_text(packet, packet.destination_port)};
    case STEM_MATCH_ICMP_TYPE:
        return {.field = "icmp_type",
                .wanted = std::to_string(rule.icmp_type),
                .found = packet.has_icmp_type() ? std::to_string(packet.icmp_type)
                         : packet.fragment      ? "none: a fragment"
                                                : "none"};
    case STEM_MATCH_VLAN:
        return {.field = "vlan", .wanted = vlan_text(rule.vlan), .found = vlan_text(packet.vlan)};
    default:
        return {.field = bit == STEM_MATCH_INTERFACE ? "interface" : "direction",
                .wanted = rule_direction(rule),
                .found = direction};
    }
}

} // namespace

bool PacketFields::has_ports() const noexcept {
    return !fragment && (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
}

bool PacketFields::has_icmp_type() const noexcept {
    return !fragment && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6);
}

bool rule_accepts(const stem_rule& rule, const PacketFields& packet) noexcept {
    bool all = true;
    visit_fields(rule, packet, [&](unsigned /*bit*/, bool matches) { all = all && matches; });
    return all;
}

std::vector<FieldCheck> explain_rule(const stem_rule& rule, const PacketFields& packet) {
    std::vector<FieldCheck> checks;
    visit_fields(rule, packet, [&](unsigned bit, bool matches) {
        checks.push_back(check_of(bit, rule, packet));
        checks.back().matches = matches;
    });
    return checks;
}

RuleHits first_match(std::span<const stem_rule> rules, const PacketFields& packet) {
    RuleHits hits;
    for (std::size_t i = 0; i < rules.size(); i++) {
        if (!rule_accepts(rules[i], packet)) {
            continue;
        }
        if ((rules[i].flags & STEM_RULE_LOG) != 0) {
            hits.logged.push_back(i);
        }
        if (rules[i].action != STEM_ACTION_LOG) {
            hits.decided = i;
            break;
        }
    }
    return hits;
}

} // namespace stem::kernel
