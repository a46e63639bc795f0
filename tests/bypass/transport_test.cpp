// SPDX-License-Identifier: Apache-2.0
// TCP flags and offsets, UDP lengths and checksums, tunnels, and errors that embed another packet.
#include "fortress.h"

namespace stem::test {
namespace {

class BypassTransport : public Fortress {
  protected:
    static Packet as_protocol(std::uint8_t protocol, const Bytes& body, const Address& dst = server()) {
        Packet packet = to(dst);
        if (is_v6()) {
            packet.get<IPv6>().next = protocol;
        } else {
            packet.get<IPv4>().protocol = protocol;
        }
        return packet / Payload{body};
    }
};
INSTANTIATE_TEST_SUITE_P(Family, BypassTransport, testing::Bool(), family_name);

TEST_P(BypassTransport, TcpFlags) {
    DataPlane& box = plane();
    for (unsigned flags = 0; flags < 64; flags++) {
        const bool fin = flags & 1U;
        const bool syn = flags & 2U;
        const bool rst = flags & 4U;
        const bool ack = flags & 16U;
        // NULL, FIN and XMAS scans; SYN+FIN and SYN+RST.
        const bool absurd = !(syn || rst || ack) || (syn && (fin || rst));
        expect_in(box, to(server()) / Tcp{.dport = web_port, .flags = static_cast<std::uint8_t>(flags)},
                  absurd ? dropped(STEM_TCP_HEADER) : forwarded(STEM_RULE_PASS));
    }
    // Data with the SYN is TCP Fast Open (RFC 7413).
    expect_in(box, to(server()) / open_service / Payload{Bytes(9)}, forwarded(STEM_RULE_PASS));
    for (const std::uint8_t words : U8{0, 1, 4, 6, 15}) {
        expect_in(box, to(server()) / Tcp{.dport = web_port, .header_words = words},
                  dropped(STEM_TCP_HEADER));
    }
}

TEST_P(BypassTransport, UdpLengths) {
    DataPlane& box = plane();
    const Udp media{.sport = media_sport, .dport = media_dport};
    for (const std::uint16_t length : U16{0, 1, 7, 181, 65535}) { // 180 is right
        Udp lying = media;
        lying.length = length;
        expect_in(box, to(server()) / lying / Rtp{}, dropped(STEM_UDP_HEADER));
        expect_in(box, (to(server()) / lying / Rtp{}).padded_to(1000), dropped(STEM_UDP_HEADER));
    }
    Udp shorter = media; // what is behind it is nobody's: too short for RTP
    shorter.length = 15;
    expect_in(box, to(server()) / shorter / Rtp{}, dropped(STEM_RTP_SIZE));
}

// The transport's checksum is not judged: a sender on the same machine leaves it to the card, which never is
// (CHECKSUM_PARTIAL on veth). A receiver drops what is wrong. But IPv6 has none without one.
TEST_P(BypassTransport, Checksums) {
    DataPlane& box = plane();
    box.set_rules({to_rule({.protocol = 17, .dport = PortRange{9000, 9000}}),
                   to_rule({.protocol = 6, .dport = PortRange{web_port, web_port}})},
                  STEM_ACTION_DROP, STEM_ACTION_PASS);
    for (const std::uint16_t sum : U16{1, 0x1234, 0xffff}) {
        expect_in(box, to(server()) / Udp{.dport = 9000, .checksum = sum} / Payload{Bytes(4)},
                  forwarded(STEM_RULE_PASS));
        expect_in(box, to(server()) / Tcp{.dport = web_port, .checksum = sum}, forwarded(STEM_RULE_PASS));
    }
    expect_in(box, to(server()) / Udp{.dport = 9000, .checksum = 0} / Payload{Bytes(4)},
              is_v6() ? dropped(STEM_UDP_HEADER) : forwarded(STEM_RULE_PASS));
}

// What a host might unwrap is judged by its wrapping, and no rule here passes that.
TEST_P(BypassTransport, Tunnels) {
    DataPlane& box = plane();
    const Bytes v4 = (IPv4{.dst = ip("198.51.100.20")} / open_service).bytes();
    const Bytes v6 = (IPv6{.dst = ip("2001:db8:2::20")} / open_service).bytes();
    Bytes gre = {0, 0, 8, 0};
    gre.insert(gre.end(), v4.begin(), v4.end());
    Bytes etherip = {0x30, 0};
    const Bytes frame = (Ethernet{} / IPv4{} / open_service).bytes();
    etherip.insert(etherip.end(), frame.begin(), frame.end());
    struct Tunnel {
        std::uint8_t protocol;
        Bytes body;
    };
    for (const Tunnel& tunnel :
         {Tunnel{4, v4}, Tunnel{41, v6}, Tunnel{4, v6}, Tunnel{41, v4}, Tunnel{47, gre}, Tunnel{97, etherip},
          Tunnel{94, v4}, Tunnel{55, v4}, Tunnel{115, v4}, Tunnel{137, v4}, Tunnel{50, v4}, Tunnel{108, v4},
          Tunnel{98, v4}}) {
        expect_in(box, as_protocol(tunnel.protocol, tunnel.body), dropped(STEM_POLICY_DROP));
    }
    if (!is_v6()) { // AH in IPv4 is a transport like any other
        expect_in(box, as_protocol(51, v4), dropped(STEM_POLICY_DROP));
    }
    // Teredo, L2TP, GTP, VXLAN, Geneve, ESP in UDP, MPLS in UDP, WireGuard.
    for (const std::uint16_t port : U16{3544, 1701, 2152, 4789, 6081, 4500, 6635, 51820, 443}) {
        for (const Bytes& body : {v4, v6, gre}) {
            expect_in(box, to(server()) / Udp{.dport = port} / Payload{body}, dropped(STEM_NO_PINHOLE));
        }
    }
    // In an open pinhole it is not RTP: version 0, 1 or 3 (IP's 4 and 6).
    for (const Bytes& body : {v4, v6, gre}) {
        expect_in(box, to(server()) / Udp{.sport = media_sport, .dport = media_dport} / Payload{body},
                  dropped(STEM_RTP_VERSION));
    }
}

// An error about the call's media, or about the open service, is judged as what it is: ICMP.
TEST_P(BypassTransport, ErrorsEmbedNoPermission) {
    DataPlane& box = plane();
    const Packet media = Udp{.sport = media_dport, .dport = media_sport} / Rtp{};
    const Bytes embedded_media = is_v6() ? (IPv6{.src = server(), .dst = attacker()} / media).bytes()
                                         : (IPv4{.src = server(), .dst = attacker()} / media).bytes();
    for (unsigned type = 0; type < 20; type++) {
        Packet packet = to(server());
        const auto number = static_cast<std::uint8_t>(type);
        packet = is_v6() ? packet / Icmpv6{.type = number} : packet / Icmp{.type = number};
        expect_in(box, packet / Payload{embedded_media}, dropped(STEM_POLICY_DROP));
    }
    // The wrong family's ICMP.
    expect_in(box, as_protocol(is_v6() ? 1 : 58, Bytes(16)), dropped(STEM_POLICY_DROP));
}

TEST_P(BypassTransport, SpoofedSourcesDoNotComeBackIn) {
    DataPlane& box = plane();
    // The inside host speaks, and is known.
    if (is_v6()) {
        expect(box, STEM_OUTBOUND,
               out().link() / IPv6{.src = server(), .dst = ip("ff02::1:ff00:10"), .hop_limit = 255} /
                   Icmpv6{.type = 135, .rest = 0} / discovery_body(attacker(), station(0x12)),
               forwarded(STEM_NEIGHBOUR));
    } else {
        expect(box, STEM_OUTBOUND, out().link() / Arp{.sender = server(), .target = attacker()},
               forwarded(STEM_NEIGHBOUR));
    }
    box.set_rules({to_rule({.protocol = 6, .dport = PortRange{web_port, web_port}})}, STEM_ACTION_DROP,
                  STEM_ACTION_PASS);
    const Packet spoofed = in().network(server(), bystander()) / open_service;
    expect_in(box, spoofed, dropped(STEM_MARTIAN));
    expect_in(box, to(bystander()) / open_service, forwarded(STEM_RULE_PASS));
    expect(box, STEM_OUTBOUND, out().network(server(), attacker()) / open_service, forwarded(STEM_RULE_PASS));
    // On another VLAN it may be routed back in.
    expect_in(box,
              Ethernet{} / Vlan{.id = 9} /
                  (is_v6() ? Packet(IPv6{.src = server(), .dst = bystander()})
                           : Packet(IPv4{.src = server(), .dst = bystander()})) /
                  open_service,
              forwarded(STEM_RULE_PASS));
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.source_guard = 0;
    box.set_thresholds(limits);
    expect_in(box, spoofed, forwarded(STEM_RULE_PASS));
    box.set_thresholds(DataPlane::default_thresholds());
    box.advance(301 * seconds); // silent for so long, it may have moved
    expect_in(box, spoofed, forwarded(STEM_RULE_PASS));
}

TEST_P(BypassTransport, ARouterAsksItsRoutes) {
    DataPlane& box = DataPlane::with({.mode = STEM_MODE_ROUTER});
    box.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    expect_in(box, in().network(bystander(), server()) / Udp{.dport = 9} / Payload{}, dropped(STEM_MARTIAN));
    const Address behind = ip(is_v6() ? "2001:db8:4::1" : "203.0.113.130"); // routed inside
    expect_in(box, in().network(behind, server()) / Udp{.dport = 9} / Payload{}, dropped(STEM_MARTIAN));
    const Address link_local = ip(is_v6() ? "fe80::1" : "169.254.1.1");
    expect_in(box, in().network(link_local, server()) / Udp{.dport = 9} / Payload{}, dropped(STEM_MARTIAN));
}

} // namespace
} // namespace stem::test
