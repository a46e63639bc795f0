// SPDX-License-Identifier: Apache-2.0
// The SYN monitor: budgets of sources and networks, blocks that grow, half-open connections, proof by cookie.
#include "media.h"
#include "verdict.h"

#include <linux/bpf.h>

#include <fmt/format.h>

namespace stem::test {
namespace {

// Every shape from outside; what comes from inside is nobody's flood.
using SynFromOutside = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, SynFromOutside,
                         testing::Combine(testing::Values(Shape::v4, Shape::v4_options, Shape::v4_vlan,
                                                          Shape::v4_qinq, Shape::v6, Shape::v6_vlan,
                                                          Shape::v6_qinq, Shape::v6_extensions),
                                          testing::Values(STEM_INBOUND)),
                         name_of_path);

constexpr std::uint32_t with_cookie =
    std::uint32_t{STEM_MODULES_INITIAL} | std::uint32_t{STEM_MODULE_SYN_COOKIE};

stem_thresholds limits() {
    stem_thresholds thresholds = DataPlane::default_thresholds();
    thresholds.syn_rate = 10;
    thresholds.syn_burst = 4;
    thresholds.syn_prefix_factor = 0;
    thresholds.syn_block_multiple = 0;
    thresholds.syn_half_open = 0;
    return thresholds;
}

// What passes the monitor goes on: by an open policy, on a SIP port by an open fallback.
DataPlane& open_plane(const stem_thresholds& thresholds, std::uint32_t modules = STEM_MODULES_INITIAL) {
    DataPlane& plane = DataPlane::with({.modules = modules, .fallback_open = true});
    plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
    plane.set_thresholds(thresholds);
    return plane;
}

Packet syn(const Path& path, std::uint16_t dport = 443, std::uint16_t sport = 40000) {
    return path / Packet(Tcp{.sport = sport, .dport = dport, .syn = true});
}

// The n-th other address of the same network (a /24, a /64), or of another one.
Address neighbour(const Path& path, unsigned n) {
    return ip(path.is_v6() ? fmt::format("2001:db8:1::1:{:x}", 20 + n) : fmt::format("192.0.2.{}", 20 + n));
}
Address stranger(const Path& path, unsigned n) {
    return path.is_v6() ? ip(fmt::format("2001:db9:{:x}::1", n + 1))
                        : ip(fmt::format("198.18.{}.{}", n / 200, 1 + n % 200));
}
Packet syn_from(const Path& path, const Address& source, std::uint16_t dport = 443,
                std::uint16_t sport = 40000) {
    return path.network(source, path.dst()) / Tcp{.sport = sport, .dport = dport, .syn = true};
}

TEST_P(SynFromOutside, ASourceIsHeldToItsRate) {
    DataPlane& plane = open_plane(limits());
    for (int i = 0; i < 4; i++) {
        expect(plane, STEM_INBOUND, syn(path(), static_cast<std::uint16_t>(443 + i)),
               forwarded(STEM_POLICY_PASS));
    }
    expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_SOURCE_RATE));
    // Another source has a budget of its own, and what is no SYN costs nothing.
    expect(plane, STEM_INBOUND, syn_from(path(), neighbour(path(), 1)), forwarded(STEM_POLICY_PASS));
    expect(plane, STEM_INBOUND, path() / Packet(Tcp{.ack = true}), forwarded(STEM_POLICY_PASS));
    expect(plane, STEM_INBOUND, path() / Packet(Tcp{.syn = true, .ack = true}), forwarded(STEM_POLICY_PASS));
    expect(plane, STEM_OUTBOUND, syn(path().back()), forwarded(STEM_POLICY_PASS));
    plane.advance(100 * milliseconds - 1);
    expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_SOURCE_RATE));
    plane.advance(1);
    expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_SOURCE_RATE));
}

TEST_P(SynFromOutside, ANetworkIsHeldToItsRate) {
    stem_thresholds thresholds = limits();
    thresholds.syn_prefix_factor = 2;
    DataPlane& plane = open_plane(thresholds);
    // The burst of the bucket is that of a source, at twice the rate: eight attempts.
    for (unsigned n = 0; n < 8; n++) {
        expect(plane, STEM_INBOUND, syn_from(path(), neighbour(path(), n)), forwarded(STEM_POLICY_PASS));
    }
    expect(plane, STEM_INBOUND, syn_from(path(), neighbour(path(), 9)), dropped(STEM_SYN_PREFIX_RATE));
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 1)), forwarded(STEM_POLICY_PASS));
    plane.advance(50 * milliseconds);
    expect(plane, STEM_INBOUND, syn_from(path(), neighbour(path(), 9)), forwarded(STEM_POLICY_PASS));
}

TEST_P(SynFromOutside, AKnownPeerHasMoreAndIsNeverBlocked) {
    stem_thresholds thresholds = limits();
    thresholds.syn_known_factor = 3;
    thresholds.syn_block_multiple = 1;
    thresholds.syn_block_seconds = 10;
    DataPlane& plane = open_plane(thresholds);
    plane.set_peer(path().src(),
                   {.expires_ns = plane.now() + seconds, .phones = 1, .kinds = STEM_PEER_REGISTERED});
    for (int i = 0; i < 12; i++) {
        expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    }
    for (int i = 0; i < 30; i++) {
        expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_SOURCE_RATE));
    }
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_BLOCK], 0U);
    plane.advance(seconds); // its time is up: it is one of many
    for (int i = 0; i < 4; i++) {
        expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    }
    expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_BLOCKED));
}

TEST_P(SynFromOutside, AFloodIsBlockedEachTimeForLonger) {
    stem_thresholds thresholds = limits();
    thresholds.syn_block_multiple = 2; // eight at once
    thresholds.syn_block_seconds = 10;
    thresholds.syn_block_max_seconds = 25;
    DataPlane& plane = open_plane(thresholds);
    const auto flood = [&] {
        for (int i = 0; i < 4; i++) {
            expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
        }
        for (int i = 0; i < 4; i++) {
            expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_SOURCE_RATE));
        }
        expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_BLOCKED));
    };
    for (const std::uint64_t length : {10U, 20U, 25U, 25U}) {
        SCOPED_TRACE(length);
        flood();
        plane.advance(length * seconds - 1);
        expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_BLOCKED));
        // What it has open goes on: only attempts are blocked.
        expect(plane, STEM_INBOUND, path() / Packet(Tcp{.ack = true}), forwarded(STEM_POLICY_PASS));
        plane.advance(1);
    }
    const auto entry = plane.syn_blocked(path().src());
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->strikes, 4U);
    EXPECT_EQ(entry->packets, 5U);   // the first that it was made for, and one in each of the four blocks
    plane.advance(25 * seconds + 1); // quiet for as long again: forgiven
    flood();
    EXPECT_EQ(plane.syn_blocked(path().src())->strikes, 1U);
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_BLOCK], 5U);
}

// Many addresses of one network: in IPv6 a /64 is one site's and is blocked; in IPv4 neighbours are others.
TEST_P(SynFromOutside, AFloodFromOneNetworkIsBlockedAsASiteInIpv6Only) {
    stem_thresholds thresholds = limits();
    thresholds.syn_block_multiple = 2;
    thresholds.syn_prefix_factor = 1;
    DataPlane& plane = open_plane(thresholds);
    for (unsigned n = 0; n < 4; n++) {
        expect(plane, STEM_INBOUND, syn_from(path(), neighbour(path(), n)), forwarded(STEM_POLICY_PASS));
    }
    for (unsigned n = 4; n < 8; n++) {
        expect(plane, STEM_INBOUND, syn_from(path(), neighbour(path(), n)), dropped(STEM_SYN_PREFIX_RATE));
    }
    for (unsigned n = 8; n < 20; n++) {
        expect(plane, STEM_INBOUND, syn_from(path(), neighbour(path(), n)),
               dropped(path().is_v6() ? STEM_SYN_BLOCKED : STEM_SYN_PREFIX_RATE));
    }
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_BLOCK], path().is_v6() ? 1U : 0U);
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 1)), forwarded(STEM_POLICY_PASS));
}

// A full table blocks nobody new, says so, and keeps who is in it.
TEST_P(SynFromOutside, AFullTableHoldsToTheBudget) {
    stem_thresholds thresholds = limits();
    thresholds.syn_block_multiple = 1;
    DataPlane& plane = open_plane(thresholds);
    plane.fill_syn_blocked();
    for (int i = 0; i < 4; i++) {
        expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    }
    expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_BLOCKED));
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_UNBLOCKED], 1U);
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_BLOCK], 0U);
    EXPECT_FALSE(plane.syn_blocked(path().src()));
    plane.advance(100 * milliseconds);
    expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
}

// Ten thousand other sources, one attempt each, leave a bystander its budget.
TEST_P(SynFromOutside, SpreadSourcesDoNotHoldUpABystander) {
    DataPlane& plane = open_plane(limits());
    for (unsigned n = 0; n < 10'000; n++) {
        (void)plane.run(STEM_INBOUND, syn_from(path(), stranger(path(), n)).bytes());
    }
    for (int i = 0; i < 4; i++) {
        expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    }
    expect(plane, STEM_INBOUND, syn(path()), dropped(STEM_SYN_SOURCE_RATE));
}

TEST_P(SynFromOutside, UnderAFloodUnknownSourcesShareOneLane) {
    stem_thresholds thresholds = limits();
    thresholds.syn_unknown_rate = 3;
    DataPlane& plane = open_plane(thresholds);
    plane.set_posture(STEM_POSTURE_KNOWN_SYN);
    plane.set_peer(path().src(), {.expires_ns = 0, .phones = 1, .kinds = STEM_PEER_TRUNK});
    for (unsigned n = 0; n < 3; n++) {
        expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), n)), forwarded(STEM_POLICY_PASS));
    }
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 3)), dropped(STEM_SYN_UNKNOWN_LANE));
    expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    plane.set_posture(0);
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 3)), forwarded(STEM_POLICY_PASS));
}

TEST_P(SynFromOutside, HalfOpenConnectionsToASipPortAreBounded) {
    stem_thresholds thresholds = limits();
    thresholds.syn_half_open = 3;
    thresholds.syn_half_open_seconds = 10;
    thresholds.syn_unknown_rate = 0;
    DataPlane& plane = open_plane(thresholds);
    plane.set_time(DataPlane::start_ns); // the beginning of an epoch of five seconds
    for (unsigned n = 0; n < 3; n++) {
        expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), n), 5060),
               forwarded(STEM_FALLBACK_OPEN));
    }
    // Full: a newcomer is refused; a retransmission counts no more than once, but cannot be told apart.
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 5), 5060), dropped(STEM_SYN_UNKNOWN_LANE));
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 5), 443), forwarded(STEM_POLICY_PASS));
    // One completes, and makes room; its later ACKs do not make more.
    expect(plane, STEM_OUTBOUND,
           path().back().network(path().dst(), stranger(path(), 0)) /
               Tcp{.sport = 5060, .dport = 40000, .sequence = 77, .syn = true, .ack = true},
           forwarded(STEM_FALLBACK_OPEN));
    const Packet ack = path().network(stranger(path(), 0), path().dst()) /
                       Tcp{.dport = 5060, .acknowledged = 78, .ack = true};
    expect(plane, STEM_INBOUND, ack, forwarded(STEM_FALLBACK_OPEN));
    expect(plane, STEM_INBOUND, ack, forwarded(STEM_FALLBACK_OPEN));
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 5), 5060), forwarded(STEM_FALLBACK_OPEN));
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 6), 5060), dropped(STEM_SYN_UNKNOWN_LANE));
    // Known peers do not wait, and what they begin counts.
    plane.set_peer(path().src(), {.expires_ns = 0, .phones = 1, .kinds = STEM_PEER_TRUNK});
    expect(plane, STEM_INBOUND, syn(path(), 5060), forwarded(STEM_FALLBACK_OPEN));
    // The attempts of an epoch are forgotten at the end of the next.
    plane.advance(5 * seconds);
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 6), 5060), dropped(STEM_SYN_UNKNOWN_LANE));
    plane.advance(5 * seconds);
    expect(plane, STEM_INBOUND, syn_from(path(), stranger(path(), 6), 5060), forwarded(STEM_FALLBACK_OPEN));
}

std::uint32_t be32_at(const Bytes& octets, std::size_t at) {
    return static_cast<std::uint32_t>(octets[at]) << 24 | static_cast<std::uint32_t>(octets[at + 1]) << 16 |
           static_cast<std::uint32_t>(octets[at + 2]) << 8 | octets[at + 3];
}
std::uint16_t be16_at(const Bytes& octets, std::size_t at) {
    return static_cast<std::uint16_t>(octets[at] << 8 | octets[at + 1]);
}
Bytes part(const Bytes& octets, std::size_t at, std::size_t length) {
    return {octets.begin() + static_cast<std::ptrdiff_t>(at),
            octets.begin() + static_cast<std::ptrdiff_t>(at + length)};
}

// A SYN turned around: a SYN-ACK to its sender that acknowledges a cookie, with nothing of the SYN's options
// and data, and right checksums.
void expect_challenge(const Path& path, const Bytes& in, const Bytes& out, std::uint32_t& cookie) {
    ASSERT_EQ(out.size(), in.size());
    const std::size_t l3 = path.link_length();
    const bool v6 = path.is_v6();
    const std::size_t l4 = l3 + (v6 ? 40 : 20);
    const std::size_t address = v6 ? 16 : 4;
    const std::size_t src = l3 + (v6 ? 8 : 12);
    const std::size_t dst = src + address;
    const std::size_t header = static_cast<std::size_t>(in[l4 + 12] >> 4) * 4;
    EXPECT_EQ(part(out, 0, 6), part(in, 6, 6)) << "to whoever sent it";
    EXPECT_EQ(part(out, 6, 6), part(in, 0, 6));
    EXPECT_EQ(part(out, 12, l3 - 12), part(in, 12, l3 - 12)) << "tags and type as they came";
    EXPECT_EQ(part(out, src, address), part(in, dst, address));
    EXPECT_EQ(part(out, dst, address), part(in, src, address));
    EXPECT_EQ(be16_at(out, l4), be16_at(in, l4 + 2));
    EXPECT_EQ(be16_at(out, l4 + 2), be16_at(in, l4));
    cookie = be32_at(out, l4 + 8);
    EXPECT_NE(cookie, be32_at(in, l4 + 4) + 1) << "it must not acknowledge the SYN";
    EXPECT_EQ(out[l4 + 12], in[l4 + 12]);
    EXPECT_EQ(out[l4 + 13], 0x12) << "SYN and ACK";
    EXPECT_EQ(be16_at(out, l4 + 14), 0) << "a closed window";
    EXPECT_EQ(part(out, l4 + 20, header - 20), Bytes(header - 20)) << "no options";
    EXPECT_EQ(be16_at(out, l3 + (v6 ? 4 : 2)), v6 ? header : header + 20) << "no data";
    EXPECT_EQ(out[l3 + (v6 ? 7 : 8)], 64) << "TTL";
    if (!v6) {
        EXPECT_EQ(checksum_finish(checksum_add(0, part(out, l3, 20))), 0);
    }
    std::uint32_t sum = checksum_add(0, part(out, src, 2 * address));
    sum += 6 + static_cast<std::uint32_t>(header);
    EXPECT_EQ(checksum_finish(checksum_add(sum, part(out, l4, header))), 0);
}

TEST_P(SynFromOutside, AnUnknownSourceProvesItself) {
    stem_thresholds thresholds = limits();
    thresholds.syn_burst = 100;
    thresholds.syn_unknown_rate = 0;
    thresholds.syn_proven_seconds = 60;
    DataPlane& plane = open_plane(thresholds, with_cookie);
    plane.set_posture(STEM_POSTURE_KNOWN_SYN);
    const Packet attempt =
        path() /
        (Tcp{.dport = 5060, .syn = true, .options = Bytes{2, 4, 5, 180, 1, 1, 1, 1}} / Payload{Bytes(5, 7)});
    if (path().shape == Shape::v4_options || path().shape == Shape::v6_extensions) {
        // What cannot be answered in kind waits with the others.
        expect(plane, STEM_INBOUND, attempt, dropped(STEM_SYN_UNKNOWN_LANE));
        return;
    }
    const Counters before = plane.counters();
    const Outcome outcome = plane.run(STEM_INBOUND, attempt.bytes());
    const auto rise = only_rise(before, plane.counters());
    ASSERT_TRUE(rise);
    EXPECT_EQ(rise->reason, STEM_SYN_CHALLENGED);
    EXPECT_EQ(outcome.action, static_cast<std::uint32_t>(XDP_REDIRECT));
    note_seen(rise->reason);
    std::uint32_t cookie = 0;
    ASSERT_NO_FATAL_FAILURE(expect_challenge(path(), attempt.bytes(), outcome.output, cookie));

    const auto reset = [&](std::uint32_t sequence, std::uint16_t sport) {
        return path() / Packet(Tcp{.sport = sport, .dport = 5060, .sequence = sequence, .rst = true});
    };
    // A guess proves nothing (the lowest two bits alone are the kernel's to choose: they tell the MSS), nor
    // does the cookie of another connection.
    expect(plane, STEM_INBOUND, reset(cookie ^ 0x00800000U, 40000), forwarded(STEM_FALLBACK_OPEN));
    expect(plane, STEM_INBOUND, reset(cookie, 40001), forwarded(STEM_FALLBACK_OPEN));
    EXPECT_EQ(plane.run(STEM_INBOUND, syn(path(), 5060).bytes()).action,
              static_cast<std::uint32_t>(XDP_REDIRECT));
    expect(plane, STEM_INBOUND, reset(cookie, 40000), dropped(STEM_SYN_PROVEN));
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_PROOF], 1U);
    expect(plane, STEM_INBOUND, syn(path(), 5060), forwarded(STEM_FALLBACK_OPEN));
    expect(plane, STEM_INBOUND, syn(path(), 5061, 40002), forwarded(STEM_POLICY_PASS));
    plane.advance(60 * seconds);
    EXPECT_EQ(plane.run(STEM_INBOUND, syn(path(), 5060).bytes()).action,
              static_cast<std::uint32_t>(XDP_REDIRECT));
    // A known peer is not asked, and nobody is while there is no flood.
    plane.set_posture(0);
    expect(plane, STEM_INBOUND, syn(path(), 5060), forwarded(STEM_FALLBACK_OPEN));
}

TEST_P(SynFromOutside, WithoutTheModuleNothingIsCounted) {
    DataPlane& plane =
        open_plane(limits(), STEM_MODULES_INITIAL & ~static_cast<std::uint32_t>(STEM_MODULE_SYN_MONITOR));
    plane.set_posture(STEM_POSTURE_KNOWN_SYN);
    for (int i = 0; i < 20; i++) {
        expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    }
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_SYN], 0U);
}

TEST_P(SynFromOutside, CountsBothWaysForTheDetector) {
    DataPlane& plane = open_plane(limits());
    expect(plane, STEM_INBOUND, syn(path()), forwarded(STEM_POLICY_PASS));
    const Path back = path().back();
    expect(plane, STEM_OUTBOUND, back / Packet(Tcp{.sport = 443, .dport = 40000, .syn = true, .ack = true}),
           forwarded(STEM_POLICY_PASS));
    expect(plane, STEM_OUTBOUND, back / Packet(Tcp{.sport = 443, .dport = 40000, .ack = true}),
           forwarded(STEM_POLICY_PASS));
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_SYN], 1U);
    EXPECT_EQ(plane.syn_counts()[STEM_SYN_COUNT_SYN_ACK], 1U);
}

} // namespace
} // namespace stem::test
