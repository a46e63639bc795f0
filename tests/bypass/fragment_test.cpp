// SPDX-License-Identifier: Apache-2.0
// Fragments: tiny, overlapping, orphaned, out of order, too long, of SIP, of media, of discovery.
#include "fortress.h"

#include <linux/bpf.h>
#include <tests/progrun/xdp_socket.h>

namespace stem::test {
namespace {

class BypassFragment : public Fortress {
  protected:
    // A TCP SYN to the open service as the first of several fragments.
    static Packet first(std::uint32_t id = 7, std::size_t size = 64, const Tcp& tcp = open_service) {
        return fragment_to(server(), 0, true, id, 6) / tcp / Payload{Bytes(size - 20)};
    }
    static Packet later(std::uint16_t offset, bool more, std::size_t size = 64, std::uint32_t id = 7) {
        return fragment_to(server(), offset, more, id, 6) / Payload{Bytes(size)};
    }
};
INSTANTIATE_TEST_SUITE_P(Family, BypassFragment, testing::Bool(), family_name);

TEST_P(BypassFragment, FollowersGoWhereTheirFirstWent) {
    DataPlane& box = plane();
    expect_in(box, first(), forwarded(STEM_RULE_PASS));
    expect_in(box, later(8, true), forwarded(STEM_RULE_PASS));
    expect_in(box, later(16, true), forwarded(STEM_RULE_PASS));
    expect_in(box, later(24, false, 5), forwarded(STEM_RULE_PASS));
    expect_in(box, later(24, false, 5), dropped(STEM_FRAGMENT_ORPHAN)); // done
    // The same datagram number again is another datagram.
    expect_in(box, first(), forwarded(STEM_RULE_PASS));
}

TEST_P(BypassFragment, AnAnsweringOneGoesOutToo) {
    DataPlane& box = plane();
    Packet packet = out().network();
    if (is_v6()) {
        packet = packet / Fragment{.more = true, .next = 17};
    } else {
        packet.get<IPv4>().more_fragments = true;
        packet.get<IPv4>().protocol = 17;
    }
    expect(box, STEM_OUTBOUND, packet / Udp{.dport = 9000} / Payload{Bytes(24)}, forwarded(STEM_POLICY_PASS));
    // What is begun on one side is not continued from the other.
    Packet back = in().network(out().src(), out().dst());
    if (is_v6()) {
        back = back / Fragment{.offset = 4, .next = 17};
    } else {
        back.get<IPv4>().fragment_offset = 4;
        back.get<IPv4>().protocol = 17;
    }
    expect_in(box, back / Payload{Bytes(8)}, dropped(STEM_FRAGMENT_ORPHAN));
}

TEST_P(BypassFragment, NoneWithoutAFirst) {
    DataPlane& box = plane();
    for (const std::uint16_t offset : U16{1, 2, 8, 185, 4000}) {
        expect_in(box, later(offset, true), dropped(STEM_FRAGMENT_ORPHAN));
        expect_in(box, later(offset, false), dropped(STEM_FRAGMENT_ORPHAN));
    }
    // Nor with one that was dropped: another port, another host, a denied source.
    expect_in(box, first(7, 64, closed_service), dropped(STEM_FRAGMENT));
    expect_in(box, later(8, false), dropped(STEM_FRAGMENT_ORPHAN));
    expect_in(box, fragment_to(bystander(), 0, true, 7, 6) / open_service / Payload{Bytes(44)},
              dropped(STEM_FRAGMENT));
    expect_in(box, fragment_to(bystander(), 8, false, 7, 6) / Payload{Bytes(44)},
              dropped(STEM_FRAGMENT_ORPHAN));
}

TEST_P(BypassFragment, EachFieldBelongsToTheKey) {
    DataPlane& box = plane();
    expect_in(box, first(), forwarded(STEM_RULE_PASS));
    expect_in(box, later(8, false, 8, 8), dropped(STEM_FRAGMENT_ORPHAN)); // another datagram
    expect_in(box, fragment_to(bystander(), 8, false, 7, 6) / Payload{Bytes(8)},
              dropped(STEM_FRAGMENT_ORPHAN));
    Packet other = later(8, false);
    if (is_v6()) {
        other.get<IPv6>().src = ip("2001:db8:1::11");
    } else {
        other.get<IPv4>().src = ip("192.0.2.11");
    }
    expect_in(box, other, dropped(STEM_FRAGMENT_ORPHAN));
    // IPv4: the protocol too. IPv6: the first one's counts, whatever a later one says (RFC 8200 4.5).
    expect_in(box, fragment_to(server(), 8, true, 7, 17) / Payload{Bytes(8)},
              is_v6() ? forwarded(STEM_RULE_PASS) : dropped(STEM_FRAGMENT_ORPHAN));
}

TEST_P(BypassFragment, TinyFirstsShowNoPorts) {
    DataPlane& box = plane();
    for (std::size_t size = 8; size < 20; size += 8) {
        const Bytes whole = Packet(open_service).bytes();
        const Payload cut{Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))};
        expect_in(box, fragment_to(server(), 0, true, 7, 6) / cut, dropped(STEM_FRAGMENT_FORM));
        expect_in(box, (fragment_to(server(), 0, true, 7, 6) / cut).padded_to(150),
                  dropped(STEM_FRAGMENT_FORM));
    }
    // A header that says it goes on into the next fragment.
    Tcp long_header = open_service;
    long_header.header_words = 15;
    expect_in(box, fragment_to(server(), 0, true, 7, 6) / long_header / Payload{Bytes(4)},
              dropped(STEM_FRAGMENT_FORM));
    for (const std::uint8_t protocol : U8{17, 1, 58}) {
        expect_in(box, fragment_to(server(), 0, true, 7, protocol) / Payload{}, dropped(STEM_FRAGMENT_FORM));
    }
}

TEST_P(BypassFragment, NoneOverlaps) {
    DataPlane& box = plane();
    expect_in(box, first(), forwarded(STEM_RULE_PASS)); // octets 0 to 63
    // RFC 1858 4.2: the second writes over the first's ports or flags.
    for (const std::uint16_t offset : U16{1, 2, 7}) {
        expect_in(box, later(offset, true), dropped(STEM_FRAGMENT_FORM));
        expect_in(box, later(offset, false, 3), dropped(STEM_FRAGMENT_FORM));
    }
    expect_in(box, first(), dropped(STEM_FRAGMENT_FORM)); // another first over it
    expect_in(box, first(7, 64, closed_service), dropped(STEM_FRAGMENT));
    expect_in(box, later(9, true), dropped(STEM_FRAGMENT_ORPHAN)); // a gap, or before its turn
    expect_in(box, later(8, true), forwarded(STEM_RULE_PASS));
    expect_in(box, later(8, true), dropped(STEM_FRAGMENT_FORM));        // twice
    expect_in(box, later(15, false, 400), dropped(STEM_FRAGMENT_FORM)); // teardrop
    expect_in(box, later(16, false, 1), forwarded(STEM_RULE_PASS));
}

TEST_P(BypassFragment, SizesAndEnds) {
    DataPlane& box = plane();
    expect_in(box, first(), forwarded(STEM_RULE_PASS));
    expect_in(box, later(8, true, 7), dropped(STEM_FRAGMENT_FORM)); // not a multiple of 8, and more to come
    expect_in(box, later(8, true, 0), dropped(STEM_FRAGMENT_FORM));
    expect_in(box, later(8, false, 0), dropped(STEM_FRAGMENT_FORM));
    expect_in(box, later(8191, false, 9), dropped(STEM_FRAGMENT_FORM)); // ping of death
    expect_in(box, later(8100, false, 800), dropped(STEM_FRAGMENT_FORM));
    expect_in(box, first(9, 65), dropped(STEM_FRAGMENT_FORM));
    expect_in(box, later(8, false), forwarded(STEM_RULE_PASS));
}

TEST_P(BypassFragment, WaitsNoLongerThanItsTime) {
    DataPlane& box = plane();
    expect_in(box, first(), forwarded(STEM_RULE_PASS));
    box.advance(1979 * milliseconds);
    expect_in(box, later(8, true), forwarded(STEM_RULE_PASS));
    box.advance(1 * milliseconds);
    expect_in(box, later(16, false), dropped(STEM_FRAGMENT_ORPHAN));
}

TEST_P(BypassFragment, BeginsWithinARate) {
    DataPlane& box = plane();
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.fragment_rate = 5;
    box.set_thresholds(limits);
    for (std::uint32_t id = 0; id < 5; id++) {
        expect(box, STEM_INBOUND, first(100 + id), forwarded(STEM_RULE_PASS));
    }
    expect(box, STEM_INBOUND, first(200), dropped(STEM_FRAGMENT));
    expect(box, STEM_INBOUND, later(8, false, 8, 100), forwarded(STEM_RULE_PASS)); // begun is begun
    box.advance(200 * milliseconds);
    expect(box, STEM_INBOUND, first(201), forwarded(STEM_RULE_PASS));
    limits.fragment_rate = 0;
    box.set_thresholds(limits);
    for (std::uint32_t id = 0; id < 50; id++) {
        expect(box, STEM_INBOUND, first(300 + id), forwarded(STEM_RULE_PASS));
    }
}

TEST_P(BypassFragment, MediaComesWhole) {
    DataPlane& box = plane();
    const auto udp = [](std::uint16_t offset, bool more, const Packet& body) {
        return fragment_to(server(), offset, more, 9, 17) / body;
    };
    box.set_rules({}, STEM_ACTION_DROP, STEM_ACTION_PASS);
    const Udp media{.sport = media_sport, .dport = media_dport};
    expect_in(box, udp(0, true, media / Payload{Bytes(56)}), dropped(STEM_FRAGMENT));
    expect_in(box, udp(0, false, media / Rtp{}), is_v6() ? dropped(STEM_FRAGMENT) : forwarded(STEM_FLOW));
    EXPECT_EQ(box.flow_of(media_key(in())).packets, is_v6() ? 0U : 1U);
}

TEST_P(BypassFragment, SipGoesToStemdInPieces) {
    DataPlane& box = plane();
    const auto udp = [](std::uint16_t offset, bool more, const Packet& body, std::uint32_t id = 9) {
        return fragment_to(server(), offset, more, id, 17) / body;
    };
    const Packet follower = udp(8, false, Payload{Bytes(56)});
    for (const bool open : {false, true}) { // an open policy does not open SIP in pieces either
        box.set_rules({}, open ? STEM_ACTION_PASS : STEM_ACTION_DROP, STEM_ACTION_PASS);
        for (const Udp& sip : {Udp{.sport = 5062, .dport = 5060}, Udp{.sport = 5060, .dport = 7000}}) {
            expect_in(box, udp(0, true, sip / Payload{Bytes(56)}), dropped(STEM_CONTROLLER_AWAY));
            expect_in(box, follower, dropped(STEM_FRAGMENT_ORPHAN));
        }
    }
    box.set_rules({to_rule({.action = STEM_ACTION_STEER, .protocol = 17, .dport = PortRange{7777, 7777}})});
    const XdpSocket socket;
    box.set_socket(STEM_INBOUND * STEM_QUEUES_MAX, socket.fd());
    const Verdict to_stemd = steered(STEM_STEER_SIP);
    const Packet head = udp(0, true, Udp{.sport = 5062, .dport = 5060} / Payload{Bytes(56)});
    expect_in(box, head, to_stemd);
    // In any order, and more than once: stemd puts them together.
    expect_in(box, udp(24, false, Payload{Bytes(56)}), to_stemd);
    expect_in(box, follower, to_stemd);
    expect_in(box, follower, to_stemd);
    expect_in(box, head, to_stemd);
    // A rule may give them to stemd as well.
    const Udp ruled{.sport = 5062, .dport = 7777};
    expect_in(box, udp(0, true, ruled / Payload{Bytes(56)}, 10), steered(STEM_RULE_STEER));
    expect_in(box, udp(8, false, Payload{Bytes(56)}, 10), to_stemd);
    // The whole in one fragment (RFC 6946).
    if (is_v6()) {
        expect_in(box, udp(0, false, Udp{.sport = 5062, .dport = 5060} / Payload{Bytes(56)}, 11), to_stemd);
    }
    box.advance(3 * seconds);
    // Their time is up: what comes now is before its first.
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.fragment_rate = 320;
    box.set_thresholds(limits);
    unsigned through = 0;
    for (std::uint32_t id = 100; id < 150; id++) {
        const Bytes early = udp(8, false, Payload{Bytes(56)}, id).bytes();
        through += box.run(STEM_INBOUND, early).action == XDP_REDIRECT ? 1U : 0U;
    }
    (void)box.take_events();
    EXPECT_GE(through, 10U);
    EXPECT_LE(through, 11U) << "a thirty-second part of fragment_rate";
    expect_in(box, udp(0, true, Udp{.sport = 5062, .dport = 5060} / Payload{Bytes(56)}, 149), to_stemd);
    expect_in(box, udp(8, false, Payload{Bytes(56)}, 149), to_stemd);
    // Those of other services are none of this.
    expect_in(box, fragment_to(server(), 8, false, 200, 6) / Payload{Bytes(56)},
              dropped(STEM_FRAGMENT_ORPHAN));
}

TEST_P(BypassFragment, FailsafeAndDenyAreForWholeOnes) {
    DataPlane& box = plane();
    Packet manager = fragment_to(server(), 0, true, 3, 6) / Tcp{.dport = failsafe_port} / Payload{Bytes(44)};
    Packet enemy = first();
    Packet later_enemy = later(8, false);
    if (is_v6()) {
        manager.get<IPv6>().src = ip("2001:db8:9::1");
        enemy.get<IPv6>().src = later_enemy.get<IPv6>().src = denied();
    } else {
        manager.get<IPv4>().src = ip("203.0.113.1");
        enemy.get<IPv4>().src = later_enemy.get<IPv4>().src = denied();
    }
    expect_in(box, manager, dropped(STEM_FRAGMENT));
    expect_in(box, enemy, dropped(STEM_DENY));
    expect_in(box, later_enemy, dropped(STEM_DENY));
    // Denied after the first one passed.
    expect_in(box, first(), forwarded(STEM_RULE_PASS));
    box.add_deny(attacker());
    expect_in(box, later(8, false), dropped(STEM_DENY));
}

class BypassFragment6 : public BypassFragment {};
INSTANTIATE_TEST_SUITE_P(Family, BypassFragment6, testing::Values(true), family_name);

TEST_P(BypassFragment6, AtomicOnesAreJudgedWhole) { // RFC 6946
    DataPlane& box = plane();
    const auto atomic = [](const Address& dst, const Packet& body) {
        return to(dst) / Fragment{.offset = 0, .more = false} / body;
    };
    for (int i = 0; i < 3; i++) { // they leave nothing behind
        expect_in(box, atomic(server(), open_service), forwarded(STEM_RULE_PASS));
    }
    expect_in(box, atomic(server(), closed_service), dropped(STEM_FRAGMENT));
    expect_in(box, atomic(bystander(), open_service), dropped(STEM_FRAGMENT));
    expect_in(box, later(8, false, 8, 0x01020304), dropped(STEM_FRAGMENT_ORPHAN));
}

TEST_P(BypassFragment6, OfDiscoveryNone) { // RFC 6980
    DataPlane& box = plane();
    box.set_rules({to_rule({.protocol = 58})}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    for (std::uint8_t type = 133; type <= 137; type++) {
        for (const bool more : {false, true}) {
            expect_in(box,
                      in().link() / IPv6{.hop_limit = 255} / Fragment{.more = more} /
                          Icmpv6{.type = type, .rest = 0} / discovery_body(server(), station(2)),
                      dropped(STEM_FRAGMENT_FORM));
        }
    }
}

TEST_P(BypassFragment6, HeadersOfTheFirstAreAllInTheFirst) { // RFC 7112
    DataPlane& box = plane();
    // The chain ends behind the fragment: what is the transport, the next one would say.
    Packet packet = to(server()) / Fragment{.more = true} / DestinationOptions{.length = 3};
    expect_in(box, packet / Payload{Bytes(8)}, dropped(STEM_IPV6_EXTENSION));
    expect_in(box, to(server()) / Fragment{.more = true} / DestinationOptions{.next = 6},
              dropped(STEM_FRAGMENT_FORM));
    // A whole chain is judged by its end.
    expect_in(box,
              to(server()) / Fragment{.more = true, .id = 1} / DestinationOptions{} / open_service /
                  Payload{Bytes(4)},
              forwarded(STEM_RULE_PASS));
    expect_in(box,
              to(server()) / Fragment{.more = true, .id = 2} / DestinationOptions{} / closed_service /
                  Payload{Bytes(4)},
              dropped(STEM_FRAGMENT));
    // Fragmented twice: only one of the two would be put together here.
    expect_in(box, to(server()) / Fragment{.more = true} / Fragment{.more = true} / open_service,
              dropped(STEM_IPV6_EXTENSION));
    expect_in(box, to(server()) / Fragment{} / Fragment{.offset = 1} / Payload{Bytes(8)},
              dropped(STEM_IPV6_EXTENSION));
}

} // namespace
} // namespace stem::test
