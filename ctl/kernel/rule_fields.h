// SPDX-License-Identifier: Apache-2.0
// The fields of a static rule as people write and read them.
#pragma once

#include <stem/abi/ruleset.h>
#include <stem/address.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stem::kernel {

struct PortRange {
    std::uint16_t low = 0; // host byte order, inclusive
    std::uint16_t high = 0;
};

// "5060" or "10000-20000", 0 to 65535, low end first.
Result<PortRange> parse_port_range(std::string_view text);
// "tcp", "udp", "icmp", "icmpv6", "sctp", "gre", "esp", "ah", or a number from 0 to 255.
Result<std::uint8_t> parse_protocol(std::string_view text);
// "pass", "drop", "steer", "log".
std::optional<stem_rule_action> parse_action(std::string_view text);

// Whether the networks that a rule names are of that family; true if it names none.
bool accepts_family(const stem_rule& rule, stem_family family) noexcept;

std::string protocol_name(std::uint8_t protocol); // the number where it has no name here
std::string_view action_name(unsigned action);
std::string port_range_text(PortRange range);

// With what it does beside: "pass, log".
std::string rule_action(const stem_rule& rule);
// What a rule matches; "any" for a field that does not count.
std::string rule_direction(const stem_rule& rule);
std::string rule_source(const stem_rule& rule);
std::string rule_destination(const stem_rule& rule);
std::string rule_protocol(const stem_rule& rule); // with the ICMP type: "icmp/8"
std::string rule_source_port(const stem_rule& rule);
std::string rule_destination_port(const stem_rule& rule);

void set_source(stem_rule& rule, const Cidr& network) noexcept;
void set_destination(stem_rule& rule, const Cidr& network) noexcept;

} // namespace stem::kernel
