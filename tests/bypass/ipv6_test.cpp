// SPDX-License-Identifier: Apache-2.0
// The IPv6 header and its chain: order, length, repetition, routes, options, and addresses that cannot be.
#include "fortress.h"

namespace stem::test {
namespace {

class BypassIPv6 : public Fortress {
  protected:
    static Packet between(const char* src, const char* dst) {
        return Ethernet{} / IPv6{.src = ip(src), .dst = ip(dst)} / open_service;
    }
    static Payload octets(Bytes bytes) { return {std::move(bytes)}; }
};
INSTANTIATE_TEST_SUITE_P(Family, BypassIPv6, testing::Values(true), family_name);

TEST_P(BypassIPv6, ChainsHideNoTransport) {
    DataPlane& box = plane();
    const std::vector<Packet> chains = {
        HopByHop{},
        DestinationOptions{},
        Routing{},
        Authentication{},
        HopByHop{} / DestinationOptions{} / Routing{} / Authentication{} / DestinationOptions{},
        Routing{} / Routing{} / Routing{},
        Authentication{} / DestinationOptions{} / Routing{}, // reordered
        DestinationOptions{} / DestinationOptions{} / DestinationOptions{} / DestinationOptions{} /
            DestinationOptions{} / DestinationOptions{}};
    for (const Packet& chain : chains) {
        expect_in(box, to(server()) / chain / open_service, forwarded(STEM_RULE_PASS));
        expect_in(box, to(server()) / chain / closed_service, dropped(STEM_POLICY_DROP));
        expect_in(box, to(bystander()) / chain / open_service, dropped(STEM_POLICY_DROP));
        expect_in(box, in().network(denied(), server()) / chain / open_service, dropped(STEM_DENY));
    }
    expect_in(box, to(server()) / chains.back() / DestinationOptions{} / open_service,
              dropped(STEM_IPV6_EXTENSION)); // seven
    Packet long_chain = to(server());
    for (int i = 0; i < 60; i++) {
        long_chain = long_chain / DestinationOptions{};
    }
    expect_in(box, long_chain / open_service, dropped(STEM_IPV6_EXTENSION));
}

TEST_P(BypassIPv6, HopByHopIsFirstOrNot) {
    DataPlane& box = plane();
    for (const Packet& before : {Packet(HopByHop{}), Packet(DestinationOptions{}), Packet(Routing{}),
                                 Packet(Fragment{}), Packet(Authentication{})}) {
        expect_in(box, to(server()) / before / HopByHop{} / open_service, dropped(STEM_IPV6_EXTENSION));
    }
}

// Mobility, HIP, shim6, ESP, no next header, experiments, and unknown ones: no port is read behind them.
TEST_P(BypassIPv6, OtherHeadersEndTheChain) {
    DataPlane& box = plane();
    const Bytes inner = Packet(open_service).bytes();
    for (const std::uint8_t next : U8{59, 50, 135, 139, 140, 253, 254, 255, 61, 114, 33, 132, 136, 103}) {
        Bytes body = {6, 0, 0, 0, 0, 0, 0, 0}; // as if TCP followed
        body.insert(body.end(), inner.begin(), inner.end());
        for (const Bytes& octets : {body, inner}) {
            Packet packet = to(server());
            packet.get<IPv6>().next = next;
            expect_in(box, packet / Payload{octets}, dropped(STEM_POLICY_DROP));
            expect_in(box, to(server()) / DestinationOptions{.next = next} / Payload{octets},
                      dropped(STEM_POLICY_DROP));
        }
    }
}

TEST_P(BypassIPv6, Routes) {
    DataPlane& box = plane();
    for (unsigned type = 0; type <= 7; type++) {
        for (const std::uint8_t left : U8{1, 2, 255}) {
            const Routing route{.type = static_cast<std::uint8_t>(type), .segments_left = left};
            expect_in(box, to(server()) / route / open_service, dropped(STEM_SOURCE_ROUTE));
            expect_in(box, to(server()) / DestinationOptions{} / route / open_service,
                      dropped(STEM_SOURCE_ROUTE));
            expect_in(box, to(server()) / route / Udp{.sport = media_sport, .dport = media_dport} / Rtp{},
                      dropped(STEM_SOURCE_ROUTE));
        }
        const Routing done{.type = static_cast<std::uint8_t>(type), .segments_left = 0};
        expect_in(box, to(server()) / done / open_service, forwarded(STEM_RULE_PASS));
        expect_in(box, to(server()) / done / closed_service, dropped(STEM_POLICY_DROP));
    }
    EXPECT_EQ(box.flow_of(media_key(in())).packets, 0U);
}

TEST_P(BypassIPv6, Options) {
    DataPlane& box = plane();
    const auto hop = [](Bytes options) {
        return to(server()) / HopByHop{.options = std::move(options)} / open_service;
    };
    const auto destination = [](Bytes options) {
        return to(server()) / DestinationOptions{.options = std::move(options)} / open_service;
    };
    expect_in(box, hop({5, 2, 0, 0, 1, 0}), forwarded(STEM_RULE_PASS)); // router alert
    expect_in(box, hop({1, 4, 0, 0, 0, 0}), forwarded(STEM_RULE_PASS));
    expect_in(box, hop({0xc2, 4, 0, 1, 0, 0}), dropped(STEM_IPV6_EXTENSION)); // jumbogram (RFC 2675)
    expect_in(box, destination({0xc2, 4, 0, 1, 0, 0}), dropped(STEM_IPV6_EXTENSION));
    Bytes home = {1, 0, 1, 0, 0xc9, 16}; // the source that counts, to the host (RFC 6275 6.3)
    const Bytes address = {0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x66};
    home.insert(home.end(), address.begin(), address.end());
    expect_in(box, destination(home), dropped(STEM_SOURCE_ROUTE));
    expect_in(box, hop(home), dropped(STEM_SOURCE_ROUTE));
    for (const std::uint8_t length : U8{5, 6, 7, 100, 255}) { // over its header's end
        expect_in(box, hop({1, length, 0, 0, 0, 0}), dropped(STEM_IPV6_EXTENSION));
        expect_in(box, destination({30, length, 0, 0, 0, 0}), dropped(STEM_IPV6_EXTENSION));
    }
    expect_in(box, hop({0, 0, 0, 0, 0, 1}), dropped(STEM_IPV6_EXTENSION)); // no room for a length
    expect_in(box, destination(Bytes(100)), dropped(STEM_IPV6_EXTENSION)); // too many of Pad1
    // A jumbogram proper: payload length 0.
    Packet jumbo = hop({0xc2, 4, 0, 1, 0, 0});
    jumbo.get<IPv6>().payload_length = 0;
    expect_in(box, jumbo, dropped(STEM_IPV6_EXTENSION));
}

TEST_P(BypassIPv6, LengthsAndHopLimit) {
    DataPlane& box = plane();
    Packet packet = to(server()) / open_service / Payload{Bytes(20)};
    for (const std::uint16_t length : U16{0, 1, 8, 19}) {
        packet.get<IPv6>().payload_length = length;
        expect_in(box, packet, dropped(STEM_TCP_HEADER));
    }
    for (const std::uint16_t length : U16{41, 1500, 65535}) {
        packet.get<IPv6>().payload_length = length;
        expect_in(box, packet, dropped(STEM_IPV6_HEADER));
    }
    packet.get<IPv6>().payload_length.reset();
    packet.get<IPv6>().hop_limit = 0;
    expect_in(box, packet, dropped(STEM_IPV6_HEADER));
    packet.get<IPv6>().hop_limit = 1;
    expect_in(box, packet, forwarded(STEM_RULE_PASS));
}

TEST_P(BypassIPv6, AddressesThatCannotBe) {
    DataPlane& box = DataPlane::with();
    box.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    expect_in(box, between("2001:db8:2::10", "2001:db8:2::10"), dropped(STEM_MARTIAN)); // land
    for (const char* src : {"::", "::1", "::192.0.2.1", "ff02::1", "ff05::2", "2002:7f00:1::1",
                            "2002:e000:1::1", "2002:0:1::1", "64:ff9b::127.0.0.1", "64:ff9b::224.0.0.1"}) {
        expect_in(box, between(src, "2001:db8:2::10"), dropped(STEM_MARTIAN));
    }
    for (const char* dst : {"::", "::1", "::198.51.100.10", "ff00::1", "ff01::1", "2002:ffff:ffff::1"}) {
        expect_in(box, between("2001:db8:1::10", dst), dropped(STEM_MARTIAN));
    }
    for (const char* mapped : {"::ffff:192.0.2.1", "::ffff:198.51.100.10"}) {
        expect_in(box, between(mapped, "2001:db8:2::10"), dropped(STEM_IPV6_HEADER));
        expect_in(box, between("2001:db8:1::10", mapped), dropped(STEM_IPV6_HEADER));
    }
    for (const char* src :
         {"2001:db8:1::10", "2002:c000:201::1", "64:ff9b::192.0.2.1", "fe80::1", "fd00::1"}) {
        expect_in(box, between(src, "2001:db8:2::10"), forwarded(STEM_POLICY_PASS));
    }
}

} // namespace
} // namespace stem::test
