// SPDX-License-Identifier: Apache-2.0
// Router mode: the FIB's answers, what is rewritten, and what the kernel's stack is given untouched.
#include "media.h"
#include "network.h"
#include "rule_spec.h"
#include "verdict.h"
#include "xdp_socket.h"

#include <linux/bpf.h>

namespace stem::test {
namespace {

// Families and directions; tagged shapes leave by the stack, and have a test of their own.
class RouterEveryPath : public EveryPath {
  protected:
    static DataPlane& open_plane(const Settings& settings = {.mode = STEM_MODE_ROUTER}) {
        DataPlane& plane = DataPlane::with(settings);
        plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
        return plane;
    }
};

INSTANTIATE_TEST_SUITE_P(Paths, RouterEveryPath,
                         testing::Combine(testing::Values(Shape::v4, Shape::v4_options, Shape::v6,
                                                          Shape::v6_extensions),
                                          testing::Values(STEM_INBOUND, STEM_OUTBOUND)),
                         name_of_path);

// Where the test's routes lead to places that are seen from outside only.
using RouterFromOutside = RouterEveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, RouterFromOutside,
                         testing::Combine(testing::Values(Shape::v4, Shape::v4_options, Shape::v6,
                                                          Shape::v6_extensions),
                                          testing::Values(STEM_INBOUND)),
                         name_of_path);

// The packet as the next router must get it: other stations, one hop less, a checksum computed anew.
Bytes routed(const Path& path, Packet packet) {
    const bool inbound = path.direction == STEM_INBOUND;
    packet.get<Ethernet>().src = inbound ? TestNetwork::internal_station : TestNetwork::external_station;
    packet.get<Ethernet>().dst = inbound ? TestNetwork::inside_station : TestNetwork::outside_station;
    if (path.is_v6()) {
        packet.get<IPv6>().hop_limit--;
    } else {
        packet.get<IPv4>().ttl--;
    }
    return packet.bytes();
}

// To a destination other than the path's, from outside.
Packet inbound_to(const Path& path, const char* v4, const char* v6) {
    return path.network(path.src(), ip(path.is_v6() ? v6 : v4)) / Udp{} / Rtp{};
}

TEST_P(RouterEveryPath, RewritesStationsAndHops) {
    DataPlane& plane = open_plane();
    for (const unsigned ttl : {2U, 3U, 64U, 128U, 255U}) {
        Packet packet = path() / (Udp{} / Rtp{});
        if (path().is_v6()) {
            packet.get<IPv6>().hop_limit = static_cast<std::uint8_t>(ttl);
        } else {
            packet.get<IPv4>().ttl = static_cast<std::uint8_t>(ttl);
        }
        expect(plane, path().direction, packet,
               forwarded(STEM_POLICY_PASS).with_output(routed(path(), packet)));
    }
    const Packet padded = (path() / Packet(Udp{})).padded_to(150);
    expect(plane, path().direction, padded, forwarded(STEM_POLICY_PASS).with_output(routed(path(), padded)));
    const Packet other = path().icmp(8);
    expect(plane, path().direction, other, forwarded(STEM_POLICY_PASS).with_output(routed(path(), other)));
}

// The checksum's carry is met in each of its ways: all identifications that bring it near, and some that do
// not.
TEST(RouterChecksum, StaysRight) {
    DataPlane& plane = DataPlane::with({.mode = STEM_MODE_ROUTER});
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    const Path path{};
    constexpr std::size_t checksum = 14 + 10;
    unsigned near_carry = 0;
    for (unsigned id = 0; id < 65536; id++) {
        Packet packet = path / Packet(Udp{});
        packet.get<IPv4>().id = static_cast<std::uint16_t>(id);
        const Bytes frame = packet.bytes();
        const bool near = frame[checksum] >= 0xfe;
        near_carry += near ? 1U : 0U;
        if (near || id % 64 == 0) {
            const Outcome outcome = plane.run(STEM_INBOUND, frame);
            ASSERT_EQ(outcome.action, XDP_REDIRECT);
            ASSERT_EQ(to_hex(outcome.output), to_hex(routed(path, packet))) << "id " << id;
        }
    }
    EXPECT_GE(near_carry, 511U);
}

TEST_P(RouterFromOutside, RoutesFlowsByGateway) {
    DataPlane& plane = DataPlane::with({.mode = STEM_MODE_ROUTER});
    stem_flow_key key = media_key(path());
    const Address beyond = ip(path().is_v6() ? "2001:db8:4::10" : "203.0.113.130");
    key.dst = beyond.raw();
    plane.set_flow(key, wide_flow());
    const Packet packet =
        path().network(path().src(), beyond) / Udp{.sport = media_sport, .dport = media_dport} / Rtp{};
    expect(plane, path().direction, packet, forwarded(STEM_FLOW).with_output(routed(path(), packet)));
}

TEST_P(RouterEveryPath, LeavesTheLastHopToTheStack) {
    DataPlane& plane = open_plane();
    for (const std::uint8_t ttl : U8{0, 1}) {
        Packet packet = path() / (Udp{} / Rtp{});
        if (path().is_v6()) {
            packet.get<IPv6>().hop_limit = ttl;
        } else {
            packet.get<IPv4>().ttl = ttl;
        }
        expect(plane, path().direction, packet,
               ttl == 1 ? to_stack(STEM_STACK_TTL)
                        : dropped(path().is_v6() ? STEM_IPV6_HEADER : STEM_IPV4_HEADER));
    }
}

TEST_P(RouterFromOutside, LeavesToTheStackWhatItCannotFinish) {
    DataPlane& plane = open_plane();
    struct Case {
        const char* v4;
        const char* v6;
        stem_reason reason;
    };
    for (const Case& each :
         {Case{"198.51.100.99", "2001:db8:2::99", STEM_STACK_NEIGHBOUR},
          Case{"192.0.2.1", "2001:db8:1::1", STEM_STACK_LOCAL},
          Case{"198.51.100.1", "2001:db8:2::1", STEM_STACK_LOCAL},
          Case{"203.0.113.250", "2001:db8:6::1", STEM_STACK_LOCAL},    // no route: the stack says so
          Case{"203.0.113.10", "2001:db8:3::10", STEM_STACK_ROUTE}}) { // a third interface
        expect(plane, path().direction, inbound_to(path(), each.v4, each.v6), to_stack(each.reason));
    }
    // Back where it came from.
    const Address other = ip(path().is_v6() ? "2001:db8:1::11" : "192.0.2.11");
    expect(plane, path().direction, path().network(other, path().src()) / Udp{} / Rtp{},
           to_stack(STEM_STACK_ROUTE));
}

TEST_P(RouterFromOutside, DropsWhatHasNoWay) {
    DataPlane& plane = open_plane();
    for (const auto& [v4, v6] : {std::pair{"203.0.113.193", "2001:db8:5:1::1"},    // black hole
                                 std::pair{"203.0.113.209", "2001:db8:5:2::1"},    // unreachable
                                 std::pair{"203.0.113.225", "2001:db8:5:3::1"}}) { // prohibited
        const Packet packet = inbound_to(path(), v4, v6);
        expect(plane, path().direction, packet, dropped(STEM_NO_ROUTE));
    }
}

TEST_P(RouterEveryPath, LeavesFragmentationToTheStack) {
    DataPlane& plane = open_plane();
    const std::size_t headers = ip_length(path(), path() / Packet(Udp{}));
    const std::size_t mtu = path().direction == STEM_INBOUND ? TestNetwork::internal_mtu : 1500;
    const auto sized = [&](std::size_t length) {
        return path() / (Udp{} / Payload{Bytes(length - headers)});
    };
    const Packet fits = sized(mtu);
    expect(plane, path().direction, fits, forwarded(STEM_POLICY_PASS).with_output(routed(path(), fits)));
    expect(plane, path().direction, sized(mtu + 1), to_stack(STEM_STACK_FRAGMENTATION));
    expect(plane, path().direction, sized(2500), to_stack(STEM_STACK_FRAGMENTATION));
    // Padding is not part of what is routed.
    const Packet padded = fits.padded_to(1600);
    expect(plane, path().direction, padded, forwarded(STEM_POLICY_PASS).with_output(routed(path(), padded)));
}

TEST_P(RouterEveryPath, LeavesTaggedFramesToTheStack) {
    DataPlane& plane = open_plane();
    Path tagged = path();
    for (const Shape shape : {path().is_v6() ? Shape::v6_vlan : Shape::v4_vlan,
                              path().is_v6() ? Shape::v6_qinq : Shape::v4_qinq}) {
        tagged.shape = shape;
        expect(plane, path().direction, tagged / (Udp{} / Rtp{}), to_stack(STEM_STACK_VLAN));
        plane.add_deny(path().src()); // it was judged all the same
        expect(plane, path().direction, tagged / (Udp{} / Rtp{}), dropped(STEM_DENY));
        open_plane();
    }
}

TEST_P(RouterEveryPath, DropsFramesForOtherStations) {
    DataPlane& plane = open_plane();
    Packet packet = path() / (Udp{} / Rtp{});
    for (const Mac& other :
         {TestNetwork::inside_station, TestNetwork::outside_station,
          // the other port's own
          path().direction == STEM_INBOUND ? TestNetwork::internal_station : TestNetwork::external_station,
          Mac{}}) {
        packet.get<Ethernet>().dst = other;
        expect(plane, path().direction, packet, dropped(STEM_OTHER_HOST));
    }
    // Each octet counts.
    for (std::size_t i = 0; i < 6; i++) {
        packet = path() / (Udp{} / Rtp{});
        packet.get<Ethernet>().dst[i] ^= 0x02;
        expect(plane, path().direction, packet, dropped(STEM_OTHER_HOST));
    }
}

TEST_P(RouterEveryPath, LeavesNeighbourDiscoveryToTheStack) {
    DataPlane& plane = DataPlane::with({.mode = STEM_MODE_ROUTER});
    const bool inbound = path().direction == STEM_INBOUND;
    if (path().is_v6()) {
        const Packet solicitation = Ethernet{.dst = {0x33, 0x33, 0xff, 0, 0, 1}} /
                                    IPv6{.src = path().src(), .dst = ip("ff02::1:ff00:1"), .hop_limit = 255} /
                                    Icmpv6{.type = 135, .rest = 0} /
                                    discovery_body(ip("2001:db8:1::1"), station(2));
        expect(plane, path().direction, solicitation, to_stack(STEM_NEIGHBOUR));
        return;
    }
    const Packet broadcast = Ethernet{.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} / Arp{};
    expect(plane, path().direction, broadcast.padded_to(60), to_stack(STEM_NEIGHBOUR));
    const Packet reply =
        Ethernet{.dst = inbound ? TestNetwork::external_station : TestNetwork::internal_station} /
        Arp{.operation = 2};
    expect(plane, path().direction, reply, to_stack(STEM_NEIGHBOUR));
    expect(plane, path().direction, Ethernet{.dst = TestNetwork::inside_station} / Arp{.operation = 2},
           dropped(STEM_OTHER_HOST));
}

TEST_P(RouterEveryPath, SteersReadyFramesOnlyWhereTheFibIsDone) {
    DataPlane& plane = DataPlane::with({.mode = STEM_MODE_ROUTER});
    const XdpSocket socket;
    plane.set_socket(static_cast<std::uint32_t>(path().direction) * STEM_QUEUES_MAX, socket.fd());
    const Packet sip = path() / (Udp{.dport = 5060} / Sip{});
    expect(plane, path().direction, sip, steered(STEM_STEER_SIP).with_output(routed(path(), sip)));
    if (path().direction == STEM_INBOUND) {
        for (const auto& [v4, v6] :
             {std::pair{"198.51.100.99", "2001:db8:2::99"}, std::pair{"192.0.2.1", "2001:db8:1::1"},
              std::pair{"203.0.113.193", "2001:db8:5:1::1"}}) {
            const Packet unfinished =
                path().network(path().src(), ip(path().is_v6() ? v6 : v4)) / Udp{.dport = 5060} / Sip{};
            expect(plane, path().direction, unfinished, steered(STEM_STEER_SIP).not_ready());
        }
    }
}

TEST_P(RouterEveryPath, DropsAndTouchesNothing) {
    DataPlane& plane = DataPlane::with({.mode = STEM_MODE_ROUTER});
    expect(plane, path().direction, path() / (Udp{} / Rtp{}), dropped(STEM_NO_PINHOLE));
    expect(plane, path().direction, path() / (Udp{.dport = 5060} / Sip{}), dropped(STEM_CONTROLLER_AWAY));
}

TEST(RouterPorts, AMissingOneLeavesItToTheStack) {
    DataPlane& plane = DataPlane::with({.mode = STEM_MODE_ROUTER});
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    plane.remove_port(STEM_PORT_INTERNAL);
    expect(plane, STEM_INBOUND, Path{} / Packet(Udp{}), to_stack(STEM_STACK_ROUTE));
}

TEST(RouterSwitch, ForwardingOffIsTheStacksAffair) {
    DataPlane& plane = DataPlane::with({.mode = STEM_MODE_ROUTER});
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    TestNetwork::set_sysctl("ipv4/conf/stem-ext/forwarding", "0");
    TestNetwork::set_sysctl("ipv6/conf/stem-ext/forwarding", "0");
    expect(plane, STEM_INBOUND, Path{} / Packet(Udp{}), to_stack(STEM_STACK_ROUTE));
    expect(plane, STEM_INBOUND, Path{.shape = Shape::v6} / Packet(Udp{}), to_stack(STEM_STACK_ROUTE));
    TestNetwork::set_sysctl("ipv4/conf/stem-ext/forwarding", "1");
    TestNetwork::set_sysctl("ipv6/conf/stem-ext/forwarding", "1");
}

} // namespace
} // namespace stem::test
