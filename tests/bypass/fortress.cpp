// SPDX-License-Identifier: Apache-2.0
#include "fortress.h"

namespace stem::test {

DataPlane& Fortress::plane() {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({to_rule({.action = STEM_ACTION_PASS,
                              .ways = STEM_MATCH_INBOUND,
                              .destination = Cidr::host(server()),
                              .protocol = 6,
                              .dport = PortRange{web_port, web_port}})},
                    STEM_ACTION_DROP, STEM_ACTION_PASS);
    plane.add_deny(denied());
    plane.set_flow(media_key(in()), wide_flow());
    plane.add_failsafe(Cidr::parse(is_v6() ? "2001:db8:9::/48" : "203.0.113.0/24").value(), failsafe_port, 6,
                       STEM_INBOUND);
    return plane;
}

Packet Fortress::fragment_to(const Address& dst, std::uint16_t offset, bool more, std::uint32_t id,
                             std::uint8_t protocol) {
    Packet packet = to(dst);
    if (is_v6()) {
        return packet / Fragment{.offset = offset, .more = more, .id = id, .next = protocol};
    }
    auto& header = packet.get<IPv4>();
    header.fragment_offset = offset;
    header.more_fragments = more;
    header.id = static_cast<std::uint16_t>(id);
    header.protocol = protocol;
    return packet;
}

} // namespace stem::test
