// SPDX-License-Identifier: Apache-2.0
// A packet as a person describes it: "inbound udp 192.0.2.1:4000 -> 198.51.100.9:5060 vlan 7".
#pragma once

#include "ctl/kernel/rule_match.h"

#include <stem/error.h>

#include <string>
#include <string_view>

namespace stem::kernel {

struct PacketDescription {
    PacketFields fields;
    bool tcp_ack = false;

    // In the form that read() takes.
    [[nodiscard]] std::string to_string() const;
};

// DIRECTION PROTOCOL SOURCE -> DESTINATION [type N] [vlan N] [ack] [fragment], in words. "to" may stand for
// the arrow, which shells like to eat. TCP and UDP need ports, ICMP and ICMPv6 a type, but fragments have
// neither.
Result<PacketDescription> read_packet(std::string_view text);

// What read_packet() wants, for help texts.
constexpr std::string_view packet_grammar =
    "inbound|outbound PROTOCOL SOURCE[:PORT] to DESTINATION[:PORT] [type N] [vlan N] [ack] [fragment]";

} // namespace stem::kernel
