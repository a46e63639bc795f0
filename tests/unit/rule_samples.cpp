// SPDX-License-Identifier: Apache-2.0
#include "rule_samples.h"

#include <ctl/kernel/rule_fields.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace stem::test {
namespace {

constexpr std::array<std::uint8_t, 7> protocols = {1, 6, 17, 47, 58, 132, 253};
constexpr std::array<std::uint16_t, 10> ports = {0, 1, 53, 1023, 1024, 5060, 5061, 30000, 65534, 65535};

template<typename Random, std::size_t N, typename T>
T any_of(Random& random, const std::array<T, N>& values) {
    return values[random() % N];
}

} // namespace

Address host(bool v6, std::uint32_t number) {
    std::array<std::uint8_t, 16> octets = {0x20, 0x01, 0x0d, 0xb8};
    const std::array<std::uint8_t, 4> low = {
        static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
        static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
    if (!v6) {
        return Address::v4(
            {static_cast<std::uint8_t>(198), static_cast<std::uint8_t>(18 + (low[1] & 1)), low[2], low[3]});
    }
    std::ranges::copy(low, octets.begin() + 8);
    octets[4] = low[3]; // half of the difference is in the upper word
    return Address::v6(octets);
}

std::size_t RuleSamples::below(std::size_t bound) {
    return random_() % bound;
}

// Few different octets, so that networks nest and packets meet them.
Address RuleSamples::address(bool v6) {
    constexpr std::array<std::uint8_t, 5> octets = {0, 1, 0x7f, 0x80, 0xff};
    std::array<std::uint8_t, 16> raw{};
    for (auto& octet : raw) {
        octet = any_of(random_, octets);
    }
    if (!v6) {
        return Address::v4({raw[0], raw[1], raw[2], raw[3]});
    }
    raw[0] |= 1; // never ::ffff:0:0/96, which no IPv6 packet has
    return Address::v6(raw);
}

std::uint16_t RuleSamples::port() {
    return below(3) == 0 ? static_cast<std::uint16_t>(below(65536)) : any_of(random_, ports);
}

stem_rule RuleSamples::rule() {
    constexpr std::array actions = {STEM_ACTION_PASS, STEM_ACTION_DROP, STEM_ACTION_STEER, STEM_ACTION_LOG};
    stem_rule rule{};
    rule.action = static_cast<std::uint8_t>(any_of(random_, actions));
    rule.flags = rule.action == STEM_ACTION_LOG || below(8) == 0 ? STEM_RULE_LOG : 0;
    rule.match = static_cast<std::uint16_t>(below(4) == 0 ? 1 + below(2) : 3);
    const bool v6 = below(2) == 0;
    const auto network = [&] {
        const unsigned bits = v6 ? 128 : 32;
        const auto length = static_cast<unsigned>(below(4) == 0 ? below(bits + 1) : bits - below(bits / 2));
        const auto cut = address(v6).octets();
        std::array<std::uint8_t, 16> octets = cut;
        for (unsigned bit = 128 - bits + length; bit < 128; bit++) {
            octets[bit / 8] = static_cast<std::uint8_t>(octets[bit / 8] & ~(0x80U >> (bit % 8)));
        }
        const Address first =
            v6 ? Address::v6(octets) : Address::v4({octets[12], octets[13], octets[14], octets[15]});
        return Cidr::parse(first.to_string() + "/" + std::to_string(length)).value();
    };
    if (below(2) == 0) {
        kernel::set_source(rule, network());
    }
    if (below(2) == 0) {
        kernel::set_destination(rule, network());
    }
    if (below(2) == 0) {
        rule.protocol = any_of(random_, protocols);
        rule.match |= STEM_MATCH_PROTOCOL;
        if ((rule.protocol == 1 || rule.protocol == 58) && below(2) == 0) {
            rule.icmp_type = static_cast<std::uint8_t>(below(4) == 0 ? below(256) : 8);
            rule.match |= STEM_MATCH_ICMP_TYPE;
        }
    }
    if (rule.protocol == 6 || rule.protocol == 17) {
        if (below(3) == 0) {
            std::tie(rule.source_port_low, rule.source_port_high) = std::minmax({port(), port()});
            rule.match |= STEM_MATCH_SOURCE_PORT;
        }
        if (below(2) == 0) {
            std::tie(rule.destination_port_low, rule.destination_port_high) = std::minmax({port(), port()});
            rule.match |= STEM_MATCH_DESTINATION_PORT;
        }
    }
    if (below(6) == 0) {
        rule.vlan = static_cast<std::uint16_t>(below(3) == 0 ? below(4095) : below(2));
        rule.match |= STEM_MATCH_VLAN;
    }
    return rule;
}

// Large sets get hosts and few ranges, so that they fit; small ones get everything.
std::vector<stem_rule> RuleSamples::rules(std::size_t count) {
    std::vector<stem_rule> made;
    while (made.size() < count) {
        stem_rule one = rule();
        if (count > 600) {
            constexpr unsigned ranges = STEM_MATCH_SOURCE_PORT | STEM_MATCH_DESTINATION_PORT;
            one.match &= static_cast<std::uint16_t>(~(below(20) == 0 ? 0U : ranges));
            const bool v6 = below(2) == 0;
            kernel::set_source(one, Cidr::host(host(v6, static_cast<std::uint32_t>(below(20'000)))));
            if (below(4) != 0) {
                kernel::set_destination(one, Cidr::host(host(v6, static_cast<std::uint32_t>(below(9)))));
            } else {
                one.match &= static_cast<std::uint16_t>(~STEM_MATCH_DESTINATION);
            }
        }
        made.push_back(one);
    }
    return made;
}

// The network's first or last address, or its neighbour.
Address RuleSamples::near(const __u64 (&network)[2], const __u64 (&mask)[2]) {
    __u64 words[2] = {network[0], network[1]};
    if (below(2) == 0) {
        words[0] |= ~mask[0];
        words[1] |= ~mask[1];
    }
    if (below(4) == 0) {
        words[1] ^= __u64{1} << (56 + below(2)); // the lowest bits, in network byte order
    }
    stem_addr raw{};
    std::memcpy(raw.octet, words, sizeof(raw.octet));
    return Address(raw);
}

kernel::PacketFields RuleSamples::packet(const std::vector<stem_rule>& rules) {
    kernel::PacketFields packet;
    const bool v6 = below(2) == 0;
    packet.direction = below(2) == 0 ? STEM_INBOUND : STEM_OUTBOUND;
    packet.source = address(v6);
    packet.destination = address(v6);
    packet.protocol = any_of(random_, protocols);
    packet.fragment = below(8) == 0;
    packet.source_port = port();
    packet.destination_port = port();
    packet.icmp_type = static_cast<std::uint8_t>(below(2) == 0 ? 8 : below(256));
    packet.vlan = static_cast<std::uint16_t>(below(2));
    if (rules.empty() || below(8) == 0) {
        return packet;
    }
    const stem_rule& rule = rules[below(rules.size())];
    const auto named = [&](unsigned bit) { return (rule.match & bit) != 0 && below(8) != 0; };
    if (named(STEM_MATCH_SOURCE)) {
        packet.source = near(rule.source, rule.source_mask);
        packet.destination = address(!packet.source.is_v4());
    }
    if (named(STEM_MATCH_DESTINATION)) {
        packet.destination = near(rule.destination, rule.destination_mask);
    }
    if (packet.source.is_v4() != packet.destination.is_v4()) {
        packet.source = address(!packet.destination.is_v4());
    }
    if (named(STEM_MATCH_PROTOCOL)) {
        packet.protocol = rule.protocol;
    }
    if (named(STEM_MATCH_SOURCE_PORT)) {
        packet.source_port = static_cast<std::uint16_t>(
            (below(2) == 0 ? rule.source_port_low : rule.source_port_high) + below(3) - 1);
    }
    if (named(STEM_MATCH_DESTINATION_PORT)) {
        packet.destination_port = static_cast<std::uint16_t>(
            (below(2) == 0 ? rule.destination_port_low : rule.destination_port_high) + below(3) - 1);
    }
    if (named(STEM_MATCH_ICMP_TYPE)) {
        packet.icmp_type = rule.icmp_type;
    }
    if (named(STEM_MATCH_VLAN)) {
        packet.vlan = rule.vlan;
    }
    if ((rule.match & 3U) != 3) {
        packet.direction = (rule.match & STEM_MATCH_INBOUND) != 0 ? STEM_INBOUND : STEM_OUTBOUND;
    }
    return packet;
}

std::string text_of(const kernel::PacketFields& packet) {
    return std::string(packet.direction == STEM_INBOUND ? "inbound " : "outbound ") +
           std::to_string(packet.protocol) + " " + packet.source.to_string() + " " +
           std::to_string(packet.source_port) + " -> " + packet.destination.to_string() + " " +
           std::to_string(packet.destination_port) + " type " + std::to_string(packet.icmp_type) + " vlan " +
           std::to_string(packet.vlan) + (packet.fragment ? " fragment" : "");
}

} // namespace stem::test
