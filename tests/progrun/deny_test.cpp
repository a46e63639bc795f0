// SPDX-License-Identifier: Apache-2.0
// The deny list and the fail-safe list: what is dropped first, and what is let through before that.
#include "media.h"
#include "verdict.h"

namespace stem::test {
namespace {

using DenyEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, DenyEveryPath, every_path(), name_of_path);

DataPlane& open_plane(const Settings& settings = {}) {
    DataPlane& plane = DataPlane::with(settings);
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    return plane;
}

Cidr network(std::string_view text) {
    return Cidr::parse(text).value();
}

// Of the path's source, from the whole family down to the host.
std::vector<Cidr> networks_around(const Path& path) {
    const bool outside = path.direction == STEM_INBOUND;
    if (path.is_v6()) {
        return outside ? std::vector{network("2001:db8::/32"), network("2001:db8:1::/48"),
                                     network("2001:db8:1::/64"), network("2001:db8:1::10/127"),
                                     network("2001:db8:1::10/128")}
                       : std::vector{network("2001:db8::/32"), network("2001:db8:2::/48"),
                                     network("2001:db8:2::10/124")};
    }
    return outside ? std::vector{network("192.0.0.0/16"), network("192.0.2.0/24"), network("192.0.2.10/31"),
                                 network("192.0.2.10/32")}
                   : std::vector{network("198.51.0.0/16"), network("198.51.100.0/24"),
                                 network("198.51.100.8/29")};
}

TEST_P(DenyEveryPath, DropsTheExactSource) {
    DataPlane& plane = open_plane();
    const Packet packet = path() / (Udp{} / Rtp{});
    plane.add_deny(path().dst()); // being talked to is no offence
    expect(plane, path().direction, packet, forwarded(STEM_POLICY_PASS));
    plane.add_deny(path().src());
    for (unsigned n = 1; n <= 3; n++) {
        expect(plane, path().direction, packet, dropped(STEM_DENY));
        EXPECT_EQ(plane.deny_of(path().src()).packets, n);
        EXPECT_EQ(plane.deny_of(path().src()).bytes, n * packet.bytes().size());
    }
    EXPECT_EQ(plane.deny_of(path().dst()).packets, 0U);
    // Whatever it sends.
    for (const Packet& transport :
         {Tcp{.syn = true} / Payload{}, Udp{.dport = 5060} / Sip{}, Packet(Payload{Bytes(8)})}) {
        expect(plane, path().direction, path() / transport, dropped(STEM_DENY));
    }
    expect(plane, path().direction, path().icmp(8), dropped(STEM_DENY));
    expect(plane, path().direction,
           path().network(ip(path().is_v6() ? "2001:db8:1::11" : "192.0.2.11"), path().dst()) / Udp{},
           forwarded(STEM_POLICY_PASS));
}

TEST_P(DenyEveryPath, DropsTheNetwork) {
    const Packet packet = path() / (Udp{} / Rtp{});
    const Address elsewhere = ip(path().is_v6() ? "2001:db9::1" : "203.0.113.1");
    for (const Cidr& denied : networks_around(path())) {
        SCOPED_TRACE(denied.to_string());
        DataPlane& plane = open_plane();
        plane.add_deny(denied);
        expect(plane, path().direction, packet, dropped(STEM_DENY_CIDR));
        expect(plane, path().direction, packet, dropped(STEM_DENY_CIDR));
        EXPECT_EQ(plane.deny_of(denied).packets, 2U);
        EXPECT_EQ(plane.deny_of(denied).bytes, 2 * packet.bytes().size());
        expect(plane, path().direction, path().network(elsewhere, path().dst()) / Udp{},
               forwarded(STEM_POLICY_PASS));
    }
}

TEST_P(DenyEveryPath, ForgetsAtItsTime) {
    DataPlane& plane = open_plane();
    const Packet packet = path() / (Udp{} / Rtp{});
    const std::uint64_t end = DataPlane::start_ns + 60 * seconds;
    plane.add_deny(path().src(), end);
    expect(plane, path().direction, packet, dropped(STEM_DENY));
    plane.set_time(end - 1);
    expect(plane, path().direction, packet, dropped(STEM_DENY));
    plane.set_time(end);
    expect(plane, path().direction, packet, forwarded(STEM_POLICY_PASS));
    EXPECT_EQ(plane.deny_of(path().src()).packets, 2U);

    const Cidr around = networks_around(path()).at(1);
    plane.add_deny(around, end + seconds);
    expect(plane, path().direction, packet, dropped(STEM_DENY_CIDR)); // behind an exact one that ran out
    plane.set_time(end + seconds - 1);
    expect(plane, path().direction, packet, dropped(STEM_DENY_CIDR));
    plane.set_time(end + seconds);
    expect(plane, path().direction, packet, forwarded(STEM_POLICY_PASS));
    EXPECT_EQ(plane.deny_of(around).packets, 2U);
}

TEST_P(DenyEveryPath, TheExactEntryCountsBeforeTheNetworks) {
    DataPlane& plane = open_plane();
    const Cidr around = networks_around(path()).at(1);
    plane.add_deny(around);
    plane.add_deny(path().src());
    expect(plane, path().direction, path() / Packet(Udp{}), dropped(STEM_DENY));
    EXPECT_EQ(plane.deny_of(around).packets, 0U);
}

// The filter is a promise: a clear bit means that nobody looks.
TEST_P(DenyEveryPath, LooksOnlyWhereTheFilterHasABit) {
    DataPlane& plane = open_plane();
    const Cidr around = networks_around(path()).at(1);
    plane.add_deny(path().src(), 0, false);
    plane.add_deny(around, 0, false);
    expect(plane, path().direction, path() / Packet(Udp{}), forwarded(STEM_POLICY_PASS));
    plane.add_deny(around);
    expect(plane, path().direction, path() / Packet(Udp{}), dropped(STEM_DENY_CIDR));
    plane.add_deny(path().src());
    expect(plane, path().direction, path() / Packet(Udp{}), dropped(STEM_DENY));
}

TEST_P(DenyEveryPath, FailsafePassesBeforeIt) {
    DataPlane& plane = DataPlane::with();
    const Cidr operators = networks_around(path()).at(1);
    plane.add_failsafe(operators, 22, 6, path().direction);
    plane.add_deny(path().src());
    plane.add_deny(path().dst());
    const auto packets = [&] { return plane.failsafe_packets(operators, 22, 6, path().direction); };

    expect(plane, path().direction, path() / Packet(Tcp{.dport = 22, .syn = true}), forwarded(STEM_FAILSAFE));
    EXPECT_EQ(packets(), 1U);
    const Path back = path().back();
    expect(plane, back.direction, back / Packet(Tcp{.sport = 22, .dport = 40000, .syn = true, .ack = true}),
           forwarded(STEM_FAILSAFE));
    EXPECT_EQ(packets(), 2U);
    // Backwards nothing is opened: without ACK it is no answer.
    expect(plane, back.direction, back / Packet(Tcp{.sport = 22, .dport = 40000, .syn = true}),
           dropped(STEM_DENY));
    // Another port, another protocol, the wrong side, someone else.
    expect(plane, path().direction, path() / Packet(Tcp{.dport = 23, .syn = true}), dropped(STEM_DENY));
    expect(plane, path().direction, path() / Packet(Udp{.dport = 22}), dropped(STEM_DENY));
    expect(plane, back.direction, back.network(path().src(), path().dst()) / Tcp{.dport = 22, .ack = true},
           dropped(STEM_DENY));
    const Address stranger = ip(path().is_v6() ? "2001:db9::1" : "203.0.113.1");
    expect(plane, path().direction, path().network(stranger, path().dst()) / Tcp{.dport = 22, .ack = true},
           dropped(STEM_POLICY_DROP));
    EXPECT_EQ(packets(), 2U);
}

TEST_P(DenyEveryPath, FailsafeTakesUdpWhereTheListHasIt) {
    for (const bool lists_udp : {false, true}) {
        DataPlane& plane = DataPlane::with({.failsafe_udp = lists_udp});
        const Verdict verdict = lists_udp ? forwarded(STEM_FAILSAFE) : dropped(STEM_NO_PINHOLE);
        const Cidr peers = networks_around(path()).front();
        plane.add_failsafe(peers, 161, 17, path().direction);
        expect(plane, path().direction, path() / Packet(Udp{.dport = 161}), verdict);
        expect(plane, path().back().direction, path().back() / Packet(Udp{.sport = 161}), verdict);
        EXPECT_EQ(plane.failsafe_packets(peers, 161, 17, path().direction), lists_udp ? 2U : 0U);
    }
}

TEST_P(DenyEveryPath, FailsafeTrustsNoFragment) {
    DataPlane& plane = DataPlane::with();
    plane.add_failsafe(networks_around(path()).front(), 22, 6, path().direction);
    Packet packet = path().network();
    if (path().is_v6()) {
        packet = packet / Fragment{.more = true};
    } else {
        packet.get<IPv4>().more_fragments = true;
    }
    expect(plane, path().direction, packet / Tcp{.dport = 22, .syn = true} / Payload{Bytes(4)},
           dropped(STEM_FRAGMENT));
}

} // namespace
} // namespace stem::test
