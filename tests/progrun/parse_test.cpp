// SPDX-License-Identifier: Apache-2.0
// The parser: what cannot be read is dropped with its reason, whatever the policy.
#include "network.h"
#include "shape.h"
#include "verdict.h"

#include <stem/reason.h>

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>

namespace stem::test {
namespace {

DataPlane& open_plane() {
    DataPlane& plane = DataPlane::with();
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    return plane;
}

bool is_parse_fault(stem_reason reason) {
    return reason >= STEM_ETHERNET_SHORT && reason <= STEM_ARP_HEADER;
}

// A frame that ends early anywhere must be dropped for a parse fault.
void expect_fault_at_each_length(DataPlane& plane, stem_direction direction, const Packet& packet) {
    const Bytes whole = packet.bytes();
    for (std::size_t length = 14; length < whole.size(); length++) {
        plane.advance(10'000'000);
        const Counters before = plane.counters();
        const Outcome outcome = plane.run(direction, std::span(whole).first(length));
        const auto rise = only_rise(before, plane.counters());
        ASSERT_TRUE(rise) << packet.scapy() << " cut to " << length;
        ASSERT_EQ(outcome.action, XDP_DROP) << packet.scapy() << " cut to " << length;
        ASSERT_TRUE(is_parse_fault(rise->reason))
            << packet.scapy() << " cut to " << length << ": " << label_of(rise->reason);
        note_seen(rise->reason);
    }
    (void)plane.take_events();
}

using ParseEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, ParseEveryPath, every_path(), name_of_path);

TEST_P(ParseEveryPath, TakesEachTransport) {
    DataPlane& plane = open_plane();
    for (const Packet& transport :
         {Udp{} / Rtp{}, Udp{} / Rtcp{}, Udp{.dport = 3478} / Stun{}, Packet(Udp{}),
          Tcp{.syn = true} / Payload{}, Tcp{.ack = true, .options = {2, 4, 5, 180}} / Payload{Bytes(100)},
          Packet(Payload{Bytes(8)})}) {
        expect(plane, path().direction, path() / transport, forwarded(STEM_POLICY_PASS));
    }
    expect(plane, path().direction, path().icmp(8), forwarded(STEM_POLICY_PASS));
}

TEST_P(ParseEveryPath, TakesEthernetPadding) {
    DataPlane& plane = open_plane();
    for (const std::size_t payload : {0U, 1U, 2U, 4U, 17U}) {
        expect(plane, path().direction, (path() / (Udp{} / Payload{Bytes(payload)})).padded_to(150),
               forwarded(STEM_POLICY_PASS));
    }
    expect(plane, path().direction, (path() / Packet(Tcp{})).padded_to(160), forwarded(STEM_POLICY_PASS));
    expect(plane, path().direction, path().icmp(8).padded_to(150), forwarded(STEM_POLICY_PASS));
}

TEST_P(ParseEveryPath, DropsEachTruncation) {
    DataPlane& plane = open_plane();
    for (const Packet& transport : {Udp{} / Payload{Bytes(12)}, Tcp{.options = Bytes(4)} / Payload{Bytes(3)},
                                    Udp{.dport = 5060} / Sip{}, Packet(Payload{Bytes(9)})}) {
        expect_fault_at_each_length(plane, path().direction, path() / transport);
    }
    expect_fault_at_each_length(plane, path().direction, path().icmp(8));
}

// The transport is cut short, but the IP header knows: the transport's own check must find it. Padding behind
// the packet must not stand in for what is missing.
TEST_P(ParseEveryPath, DropsTransportCutShortWithinItsPacket) {
    DataPlane& plane = open_plane();
    struct Cut {
        Packet transport;
        std::uint8_t protocol;
        std::size_t need; // octets of transport that can be read
        stem_reason reason;
    };
    const std::uint8_t icmp = path().is_v6() ? 58 : 1;
    for (const Cut& cut : {Cut{Udp{} / Payload{Bytes(12)}, 17, 20, STEM_UDP_HEADER},
                           Cut{Tcp{.options = Bytes(4)} / Payload{Bytes(3)}, 6, 24, STEM_TCP_HEADER},
                           Cut{Icmp{}, icmp, 4, STEM_ICMP_HEADER}}) {
        const Bytes whole = cut.transport.bytes();
        for (std::size_t length = 0; length < cut.need; length++) {
            Packet packet = path().network();
            const Payload left{Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))};
            if (path().shape == Shape::v6_extensions) {
                packet.get<Authentication>().next = cut.protocol;
            } else if (path().is_v6()) {
                packet.get<IPv6>().next = cut.protocol;
            } else {
                packet.get<IPv4>().protocol = cut.protocol;
            }
            plane.advance(10'000'000);
            expect(plane, path().direction, packet / left, dropped(cut.reason));
            expect(plane, path().direction, (packet / left).padded_to(200), dropped(cut.reason));
        }
    }
}

// ::ffff:192.0.2.1 is how STEM writes an IPv4 host: an IPv6 packet must not pass for that one's.
TEST(ParseIPv6, DropsAddressesThatMeanIPv4) {
    DataPlane& plane = open_plane();
    const auto mapped = ip("::ffff:192.0.2.1");
    expect(plane, STEM_INBOUND, Ethernet{} / IPv6{.src = mapped} / Udp{} / Rtp{}, dropped(STEM_IPV6_HEADER));
    expect(plane, STEM_INBOUND, Ethernet{} / IPv6{.dst = mapped} / Udp{} / Rtp{}, dropped(STEM_IPV6_HEADER));
    expect(plane, STEM_INBOUND, Ethernet{} / IPv6{.src = ip("::fffe:192.0.2.1")} / Udp{} / Rtp{},
           forwarded(STEM_POLICY_PASS));
}

// Extension headers of which the last ones are padding, as the IPv6 header says.
TEST(ParseIPv6, DropsExtensionsBeyondTheirPacket) {
    DataPlane& plane = open_plane();
    const Packet whole =
        Ethernet{} / IPv6{} / HopByHop{} / DestinationOptions{} / Authentication{} / Udp{} / Rtp{};
    for (std::uint16_t length = 0; length < 40; length++) { // 8 + 8 + 24 octets of extension headers
        Packet packet = whole;
        packet.get<IPv6>().payload_length = length;
        expect(plane, STEM_INBOUND, packet, dropped(STEM_IPV6_EXTENSION));
    }
    for (std::uint16_t length = 0; length < 8; length++) {
        expect(plane, STEM_INBOUND,
               Ethernet{} / IPv6{.payload_length = length} / Fragment{.offset = 100} / Payload{},
               dropped(STEM_IPV6_EXTENSION));
    }
}

TEST(ParseIPv6, WalksSixExtensionsAndNoMore) {
    DataPlane& plane = open_plane();
    Packet packet = Ethernet{} / IPv6{};
    for (int count = 0; count < 9; count++) {
        expect(plane, STEM_INBOUND, packet / Udp{} / Rtp{},
               count <= 6 ? forwarded(STEM_POLICY_PASS) : dropped(STEM_IPV6_EXTENSION));
        packet = packet / DestinationOptions{};
    }
}

// PadN options of that many octets (RFC 8200 4.2).
Bytes padding(std::size_t octets) {
    Bytes options = {1, static_cast<std::uint8_t>(octets - 2)};
    options.resize(octets);
    return options;
}

TEST(ParseIPv6, KnowsEachExtension) {
    DataPlane& plane = open_plane();
    const Packet head = Ethernet{} / IPv6{};
    const Packet tail = Udp{.dport = 30000} / Rtp{};
    for (const Packet& extension :
         {Packet(HopByHop{}), Packet(HopByHop{.options = padding(30)}),
          Packet(DestinationOptions{.options = padding(200)}), Packet(Routing{}),
          Packet(Routing{.type = 0, .segments_left = 0}), Packet(Routing{.type = 255}),
          Packet(Authentication{}), Packet(Authentication{.check_value = Bytes(32)})}) {
        expect(plane, STEM_INBOUND, head / extension / tail, forwarded(STEM_POLICY_PASS));
        Packet wrong = head / extension / tail; // the same, with a transport that is not whole
        wrong.get<Udp>().length = 7;
        expect(plane, STEM_INBOUND, wrong, dropped(STEM_UDP_HEADER));
    }
    // A fragment header's second octet is reserved, and no length.
    for (const std::uint8_t reserved : U8{0, 1, 255}) {
        expect(plane, STEM_INBOUND,
               head / Fragment{.more = true, .reserved = reserved, .id = reserved} / DestinationOptions{} /
                   (Udp{.dport = 30000} / Payload{Bytes(16)}),
               forwarded(STEM_POLICY_PASS));
    }
    // What is to be sent on to others is not for whom it says (RFC 5095, RFC 6275, RFC 8754).
    for (const std::uint8_t type : U8{0, 1, 2, 3, 4, 5, 6, 253}) {
        expect(plane, STEM_INBOUND, head / Routing{.type = type, .segments_left = 1} / tail,
               dropped(STEM_SOURCE_ROUTE));
    }
    expect(plane, STEM_INBOUND, head / HopByHop{.length = 255} / tail, dropped(STEM_IPV6_EXTENSION));
    expect(plane, STEM_INBOUND, head / Authentication{.length = 255} / tail, dropped(STEM_IPV6_EXTENSION));
}

TEST_P(ParseEveryPath, DropsWrongLengths) {
    DataPlane& plane = open_plane();
    for (const std::uint16_t length : U16{0, 7, 21, 65535}) { // 20 is right
        expect(plane, path().direction, path() / (Udp{.length = length} / Payload{Bytes(12)}),
               dropped(STEM_UDP_HEADER));
        expect(plane, path().direction,
               (path() / (Udp{.length = length} / Payload{Bytes(12)})).padded_to(200),
               dropped(STEM_UDP_HEADER));
    }
    for (const std::uint8_t words : U8{0, 4, 9, 15}) { // 8 fill the packet
        expect(plane, path().direction, path() / (Tcp{.header_words = words} / Payload{Bytes(12)}),
               dropped(STEM_TCP_HEADER));
    }
    expect(plane, path().direction, path() / (Tcp{.header_words = 8} / Payload{Bytes(12)}),
           forwarded(STEM_POLICY_PASS));
    // Shorter than the packet it is in: the rest is nobody's.
    expect(plane, path().direction, path() / (Udp{.length = 8} / Payload{Bytes(12)}),
           forwarded(STEM_POLICY_PASS));
}

TEST_P(ParseEveryPath, DropsWrongIpHeaders) {
    DataPlane& plane = open_plane();
    const bool v6 = path().is_v6();
    const stem_reason reason = v6 ? STEM_IPV6_HEADER : STEM_IPV4_HEADER;
    for (const std::uint8_t version : U8{0, 4, 5, 6, 15}) {
        Packet packet = path() / (Udp{} / Rtp{});
        const bool right = version == (v6 ? 6 : 4);
        if (v6) {
            packet.get<IPv6>().version = version;
        } else {
            packet.get<IPv4>().version = version;
        }
        expect(plane, path().direction, packet, right ? forwarded(STEM_POLICY_PASS) : dropped(reason));
    }
    Packet packet = path() / (Udp{} / Rtp{});
    if (v6) {
        for (const std::size_t excess : {1U, 8U, 1000U}) {
            packet.get<IPv6>().payload_length =
                static_cast<std::uint16_t>(packet.bytes().size() - path().link_length() - 40 + excess);
            expect(plane, path().direction, packet, dropped(reason));
            packet.get<IPv6>().payload_length.reset();
        }
        return;
    }
    for (const std::uint16_t length : U16{0, 19, 2000, 65535}) {
        packet.get<IPv4>().length = length;
        expect(plane, path().direction, packet, dropped(reason));
    }
    packet.get<IPv4>().length.reset();
    for (std::uint8_t words = 0; words < 5; words++) {
        packet.get<IPv4>().header_words = words;
        expect(plane, path().direction, packet, dropped(reason));
    }
    // Options longer than the packet.
    Packet bare = path().network();
    bare.get<IPv4>().header_words = 15;
    expect(plane, path().direction, bare / Payload{Bytes(8)}, dropped(reason));
}

TEST(ParseLink, KnowsItsEthertypes) {
    DataPlane& plane = open_plane();
    for (const std::uint16_t type : U16{0x0000, 0x05ff, 0x0801, 0x8035, 0x8847, 0x88cc, 0xffff}) {
        expect(plane, STEM_INBOUND, Ethernet{.type = type} / IPv4{} / Udp{}, dropped(STEM_ETHERTYPE));
        expect(plane, STEM_OUTBOUND, Ethernet{} / Vlan{.type = type} / IPv4{} / Udp{},
               dropped(STEM_ETHERTYPE));
    }
}

TEST(ParseLink, KnowsItsTags) {
    DataPlane& plane = open_plane();
    const Packet inside = IPv4{} / Udp{} / Rtp{};
    for (const std::uint16_t outer : U16{0x8100, 0x88a8, 0x9100}) {
        expect(plane, STEM_INBOUND, Ethernet{} / Vlan{.tpid = outer} / inside, forwarded(STEM_POLICY_PASS));
        for (const std::uint16_t inner : U16{0x8100, 0x88a8, 0x9100}) {
            const Packet two = Ethernet{} / Vlan{.tpid = outer} / Vlan{.tpid = inner};
            expect(plane, STEM_INBOUND, two / inside, forwarded(STEM_POLICY_PASS));
            for (const std::uint16_t third : U16{0x8100, 0x88a8, 0x9100}) {
                expect(plane, STEM_INBOUND, two / Vlan{.tpid = third} / inside, dropped(STEM_VLAN_DEPTH));
            }
        }
    }
}

TEST(ParseArp, TakesIPv4OverEthernetOnly) {
    DataPlane& plane = open_plane();
    const Packet link = Ethernet{.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    expect(plane, STEM_INBOUND, (link / Arp{}).padded_to(60), forwarded(STEM_NEIGHBOUR));
    expect(plane, STEM_OUTBOUND, link / Vlan{} / Arp{.operation = 2, .sender = ip("198.51.100.10")},
           forwarded(STEM_NEIGHBOUR));
    for (const Arp& wrong : {Arp{.hardware = 6}, Arp{.protocol = 0x86dd}, Arp{.hardware_length = 8},
                             Arp{.protocol_length = 16}}) {
        expect(plane, STEM_INBOUND, link / wrong, dropped(STEM_ARP_HEADER));
    }
    expect_fault_at_each_length(plane, STEM_INBOUND, link / Arp{});
    expect_fault_at_each_length(plane, STEM_INBOUND, link / Vlan{} / Vlan{} / Arp{});
}

// What RFC 4861 4 wants behind the first eight octets of each type, with the sender's station as option.
Payload discovery_body_of(unsigned type) {
    const Bytes with_target = discovery_body(ip("2001:db8:2::10"), station(2)).octets;
    Bytes body(type == 134 ? 8 : 0);
    if (type == 137) { // target, then destination
        body.assign(with_target.begin(), with_target.begin() + 16);
    }
    body.insert(body.end(), with_target.begin() + (type == 133 || type == 134 ? 16 : 0), with_target.end());
    return {body};
}

// Neighbour discovery counts with hop limit 255 only, multicast listening with 1.
TEST(ParseIPv6, KnowsNeighbourDiscovery) {
    DataPlane& plane = DataPlane::with(); // policy drops: only discovery passes
    stem_thresholds thresholds = DataPlane::default_thresholds();
    thresholds.neighbour_redirect_guard = 0;
    plane.set_thresholds(thresholds);
    for (unsigned type = 120; type < 256; type++) {
        for (const std::uint8_t hop_limit : U8{1, 2, 64, 254, 255}) {
            const bool discovery = type >= 133 && type <= 137 && hop_limit == 255;
            const bool listening = ((type >= 130 && type <= 132) || type == 143) && hop_limit == 1;
            plane.advance(10'000'000);
            const Packet packet = Ethernet{} / IPv6{.src = ip("fe80::1"), .hop_limit = hop_limit} /
                                  Icmpv6{.type = static_cast<std::uint8_t>(type), .rest = 0} /
                                  discovery_body_of(type);
            expect(plane, STEM_INBOUND, packet,
                   discovery || listening ? forwarded(STEM_NEIGHBOUR) : dropped(STEM_POLICY_DROP));
        }
    }
    // The same numbers mean nothing in IPv4.
    expect(plane, STEM_INBOUND, Ethernet{} / IPv4{.ttl = 255, .protocol = 58} / Icmpv6{.type = 135},
           dropped(STEM_POLICY_DROP));
}

// Shorter than the program runner takes as a whole frame: most of it is metadata, which the packet is not.
TEST(ParseLink, DropsLessThanAnEthernetHeader) {
    DataPlane& plane = open_plane();
    constexpr std::uint32_t metadata = 16;
    const Bytes whole = (Ethernet{} / IPv4{} / Udp{}).bytes();
    for (std::uint32_t length = 13; length > 0; length--) {
        Bytes frame(metadata + length);
        std::copy_n(whole.begin(), length, frame.begin() + metadata);
        try {
            expect(plane, STEM_INBOUND, frame, fmt::format("{} octets", length), dropped(STEM_ETHERNET_SHORT),
                   0, metadata);
        } catch (const std::system_error& error) {
            note_out_of_reach(STEM_ETHERNET_SHORT, "BPF_PROG_TEST_RUN wants a whole Ethernet header");
            GTEST_SKIP() << "this kernel runs no frame of " << length << " octets: " << error.what();
        }
    }
}

} // namespace
} // namespace stem::test
