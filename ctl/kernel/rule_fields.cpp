// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_fields.h"

#include "ctl/kernel/network.h"

#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace stem::kernel {
namespace {

constexpr auto protocols = std::to_array<std::pair<std::string_view, std::uint8_t>>({
    {"tcp", IPPROTO_TCP},
    {"udp", IPPROTO_UDP},
    {"icmp", IPPROTO_ICMP},
    {"icmpv6", IPPROTO_ICMPV6},
    {"sctp", IPPROTO_SCTP},
    {"gre", IPPROTO_GRE},
    {"esp", IPPROTO_ESP},
    {"ah", IPPROTO_AH},
});

constexpr auto actions = std::to_array<std::pair<std::string_view, stem_rule_action>>({
    {"pass", STEM_ACTION_PASS},
    {"drop", STEM_ACTION_DROP},
    {"steer", STEM_ACTION_STEER},
    {"log", STEM_ACTION_LOG},
});

template<typename Number>
std::optional<Number> parse_number(std::string_view digits) {
    Number number = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.empty() || status != std::errc{} || end != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return number;
}

std::string network_text(const __u64 (&network)[2], const __u64 (&mask)[2]) {
    std::array<std::uint8_t, 16> bits{};
    stem_addr raw{};
    std::memcpy(bits.data(), mask, bits.size());
    std::memcpy(raw.octet, network, sizeof(raw.octet));
    return network_of(Address(raw), length_of(bits)).to_string();
}

stem_family family_of(const __u64 (&network)[2], const __u64 (&mask)[2]) noexcept {
    std::array<std::uint8_t, 16> bits{};
    stem_addr raw{};
    std::memcpy(bits.data(), mask, bits.size());
    std::memcpy(raw.octet, network, sizeof(raw.octet));
    return length_of(bits) >= STEM_V4_PREFIX_BASE && Address(raw).is_v4() ? STEM_FAMILY_V4 : STEM_FAMILY_V6;
}

void set_network(__u64 (&network)[2], __u64 (&mask)[2], const Cidr& from) noexcept {
    const auto bits = mask_of(from);
    std::memcpy(network, from.network().octets().data(), sizeof(network));
    std::memcpy(mask, bits.data(), sizeof(mask));
}

} // namespace

Result<PortRange> parse_port_range(std::string_view text) {
    const auto dash = text.find('-');
    const auto low = parse_number<std::uint16_t>(text.substr(0, dash));
    const auto high =
        dash == std::string_view::npos ? low : parse_number<std::uint16_t>(text.substr(dash + 1));
    if (!low || !high || *low > *high) {
        return fail("read ports '" + std::string(text) + "'", "not a port or a range from 0 to 65535",
                    "write \"5060\" or \"10000-20000\"");
    }
    return PortRange{.low = *low, .high = *high};
}

Result<std::uint8_t> parse_protocol(std::string_view text) {
    for (const auto& [name, number] : protocols) {
        if (name == text) {
            return number;
        }
    }
    if (const auto number = parse_number<std::uint8_t>(text)) {
        return *number;
    }
    return fail("read protocol '" + std::string(text) + "'", "neither a known name nor a number to 255",
                "write tcp, udp, icmp, icmpv6, sctp, gre, esp, ah or the number");
}

std::optional<stem_rule_action> parse_action(std::string_view text) {
    for (const auto& [name, action] : actions) {
        if (name == text) {
            return action;
        }
    }
    return std::nullopt;
}

bool accepts_family(const stem_rule& rule, stem_family family) noexcept {
    return ((rule.match & STEM_MATCH_SOURCE) == 0 || family_of(rule.source, rule.source_mask) == family) &&
           ((rule.match & STEM_MATCH_DESTINATION) == 0 ||
            family_of(rule.destination, rule.destination_mask) == family);
}

std::string protocol_name(std::uint8_t protocol) {
    for (const auto& [name, number] : protocols) {
        if (number == protocol) {
            return std::string(name);
        }
    }
    return std::to_string(protocol);
}

std::string_view action_name(unsigned action) {
    for (const auto& [name, number] : actions) {
        if (number == action) {
            return name;
        }
    }
    return "unknown";
}

std::string port_range_text(PortRange range) {
    return range.low == range.high ? std::to_string(range.low)
                                   : std::to_string(range.low) + "-" + std::to_string(range.high);
}

std::string rule_action(const stem_rule& rule) {
    std::string text(action_name(rule.action));
    if (rule.action != STEM_ACTION_LOG && (rule.flags & STEM_RULE_LOG) != 0) {
        text += ", log";
    }
    if ((rule.flags & STEM_RULE_KEEP_STATE) != 0) {
        text += ", keep state";
    }
    return text;
}

std::string rule_direction(const stem_rule& rule) {
    const bool inbound = (rule.match & STEM_MATCH_INBOUND) != 0;
    const bool outbound = (rule.match & STEM_MATCH_OUTBOUND) != 0;
    return inbound && outbound ? "both" : inbound ? "inbound" : outbound ? "outbound" : "none";
}

std::string rule_source(const stem_rule& rule) {
    return (rule.match & STEM_MATCH_SOURCE) != 0 ? network_text(rule.source, rule.source_mask) : "any";
}

std::string rule_destination(const stem_rule& rule) {
    return (rule.match & STEM_MATCH_DESTINATION) != 0 ? network_text(rule.destination, rule.destination_mask)
                                                      : "any";
}

std::string rule_protocol(const stem_rule& rule) {
    if ((rule.match & STEM_MATCH_PROTOCOL) == 0) {
        return "any";
    }
    std::string text = protocol_name(rule.protocol);
    if ((rule.match & STEM_MATCH_ICMP_TYPE) != 0) {
        text += "/" + std::to_string(rule.icmp_type);
    }
    return text;
}

std::string rule_source_port(const stem_rule& rule) {
    return (rule.match & STEM_MATCH_SOURCE_PORT) != 0
               ? port_range_text({.low = rule.source_port_low, .high = rule.source_port_high})
               : "any";
}

std::string rule_destination_port(const stem_rule& rule) {
    return (rule.match & STEM_MATCH_DESTINATION_PORT) != 0
               ? port_range_text({.low = rule.destination_port_low, .high = rule.destination_port_high})
               : "any";
}

void set_source(stem_rule& rule, const Cidr& network) noexcept {
    set_network(rule.source, rule.source_mask, network);
    rule.match |= STEM_MATCH_SOURCE;
}

void set_destination(stem_rule& rule, const Cidr& network) noexcept {
    set_network(rule.destination, rule.destination_mask, network);
    rule.match |= STEM_MATCH_DESTINATION;
}

} // namespace stem::kernel
