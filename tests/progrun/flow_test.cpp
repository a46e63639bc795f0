// SPDX-License-Identifier: Apache-2.0
// Flow Monitor: what a pinhole lets through, what it counts, and at which rate.
#include "media.h"
#include "verdict.h"

#include <linux/bpf.h>

namespace stem::test {
namespace {

using FlowEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, FlowEveryPath, every_path(), name_of_path);

// Sends `count` packets, one each `interval_ns`, the first at once; gives how many passed.
unsigned send(DataPlane& plane, const Path& path, const Packet& packet, unsigned count,
              std::uint64_t interval_ns) {
    const Bytes frame = packet.bytes();
    stem_thresholds rates_alone = DataPlane::default_thresholds(); // the same packet again and again
    rates_alone.rtp_repeats = 0;
    plane.set_thresholds(rates_alone);
    unsigned passed = 0;
    for (unsigned i = 0; i < count; i++) {
        passed += plane.run(path.direction, frame).action == XDP_REDIRECT ? 1U : 0U;
        plane.advance(interval_ns);
    }
    (void)plane.take_events();
    return passed;
}

TEST_P(FlowEveryPath, PassesAndCounts) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_flow());
    const Packet packet = media(path(), Rtp{});
    const std::size_t length = ip_length(path(), packet);
    for (unsigned n = 1; n <= 3; n++) {
        plane.advance(20 * milliseconds);
        expect(plane, path().direction, packet, forwarded(STEM_FLOW));
        const stem_flow flow = plane.flow_of(media_key(path()));
        EXPECT_EQ(flow.packets, n);
        EXPECT_EQ(flow.bytes, n * length);
        EXPECT_EQ(flow.last_seen_ns, plane.now());
        EXPECT_EQ(flow.dropped_packets, 0U);
        EXPECT_EQ(flow.dropped_bytes, 0U);
    }
    // Padding is the frame's, not the flow's.
    expect(plane, path().direction, packet.padded_to(400), forwarded(STEM_FLOW));
    EXPECT_EQ(plane.flow_of(media_key(path())).bytes, 4 * length);
}

TEST_P(FlowEveryPath, CountsWhatItDrops) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_flow());
    const Packet packet = media(path(), Rtp{.payload_type = 8});
    expect(plane, path().direction, packet, dropped(STEM_RTP_PAYLOAD_TYPE));
    const stem_flow flow = plane.flow_of(media_key(path()));
    EXPECT_EQ(flow.packets, 0U);
    EXPECT_EQ(flow.bytes, 0U);
    EXPECT_EQ(flow.last_seen_ns, 0U);
    EXPECT_EQ(flow.dropped_packets, 1U);
    EXPECT_EQ(flow.dropped_bytes, ip_length(path(), packet));
    EXPECT_EQ(flow.bytes_full_at_ns, 0U);
    EXPECT_EQ(flow.packets_full_at_ns, 0U);
}

TEST_P(FlowEveryPath, IsBoundToItsFiveTupleAndDirection) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_flow());
    const Address stranger = ip(path().is_v6() ? "2001:db8:1::66" : "192.0.2.66");
    const Packet rtp = Rtp{};
    const Packet ports = Udp{.sport = media_sport, .dport = media_dport};
    const Verdict closed = dropped(STEM_NO_PINHOLE);
    expect(plane, path().direction, path().network(stranger, path().dst()) / ports / rtp, closed);
    expect(plane, path().direction, path().network(path().src(), stranger) / ports / rtp, closed);
    expect(plane, path().direction, path() / (Udp{.sport = media_sport + 1, .dport = media_dport} / rtp),
           closed);
    expect(plane, path().direction, path() / (Udp{.sport = media_sport, .dport = media_dport + 1} / rtp),
           closed);
    // The same five-tuple, from the other side; and the answer's.
    expect(plane, path().back().direction, path().back().network(path().src(), path().dst()) / ports / rtp,
           closed);
    expect(plane, path().back().direction,
           path().back() / (Udp{.sport = media_dport, .dport = media_sport} / rtp), closed);
    expect(plane, path().direction, path() / (Tcp{.sport = media_sport, .dport = media_dport} / rtp),
           dropped(STEM_POLICY_DROP));
    EXPECT_EQ(plane.flow_of(media_key(path())).dropped_packets, 0U);
    expect(plane, path().direction, media(path(), rtp), forwarded(STEM_FLOW));
}

TEST_P(FlowEveryPath, HoldsThePacketRate) {
    DataPlane& plane = DataPlane::with();
    stem_flow flow = wide_flow();
    flow.ns_per_packet = 20 * milliseconds; // 50 a second
    flow.packets_burst_ns = 100 * milliseconds;
    plane.set_flow(media_key(path()), flow);
    const Packet packet = media(path(), Rtp{});

    // The burst: five at once, and no sixth.
    for (int i = 0; i < 5; i++) {
        expect(plane, path().direction, packet, forwarded(STEM_FLOW));
    }
    expect(plane, path().direction, packet, dropped(STEM_FLOW_PACKET_RATE));
    plane.advance(20 * milliseconds - 1);
    expect(plane, path().direction, packet, dropped(STEM_FLOW_PACKET_RATE));
    plane.advance(1);
    expect(plane, path().direction, packet, forwarded(STEM_FLOW));
    expect(plane, path().direction, packet, dropped(STEM_FLOW_PACKET_RATE));
    EXPECT_EQ(plane.flow_of(media_key(path())).packets, 6U);
    EXPECT_EQ(plane.flow_of(media_key(path())).dropped_packets, 3U);

    // After a silence however long: the burst, no more.
    plane.advance(3600 * seconds);
    EXPECT_EQ(send(plane, path(), packet, 20, 0), 5U);

    // Ten times the rate for a second: what was saved, and one each 20 ms, the last at 980.
    plane.advance(3600 * seconds);
    EXPECT_EQ(send(plane, path(), packet, 500, 2 * milliseconds), 5U + 49U);
    // At the rate: all of it.
    plane.advance(3600 * seconds);
    EXPECT_EQ(send(plane, path(), packet, 500, 20 * milliseconds), 500U);
}

TEST_P(FlowEveryPath, HoldsTheByteRate) {
    DataPlane& plane = DataPlane::with();
    stem_flow flow = wide_flow();
    flow.ns_per_kib = 102'400'000; // 10,000 bytes a second: 0.1 ms a byte
    flow.bytes_burst_ns = 100 * milliseconds;
    plane.set_flow(media_key(path()), flow);
    const Packet packet = media(path(), Rtp{});
    const std::uint64_t cost = ip_length(path(), packet) * milliseconds / 10;
    const auto burst = static_cast<unsigned>(100 * milliseconds / cost);

    EXPECT_EQ(send(plane, path(), packet, burst, 0), burst);
    expect(plane, path().direction, packet, dropped(STEM_FLOW_BYTE_RATE));
    plane.advance(3600 * seconds);
    EXPECT_EQ(send(plane, path(), packet, 50, 0), burst);

    // Twice the rate for 499 packets, the last at 498/2 costs: what 249 costs and a burst pay for.
    plane.advance(3600 * seconds);
    const std::uint64_t elapsed = 498 * (cost / 2);
    EXPECT_EQ(send(plane, path(), packet, 499, cost / 2), (elapsed + 100 * milliseconds) / cost);
    // At the rate: all of it.
    plane.advance(3600 * seconds);
    EXPECT_EQ(send(plane, path(), packet, 300, cost), 300U);

    // Half the size costs half.
    plane.advance(3600 * seconds);
    const Packet small = media(path(), Rtp{.payload = 20});
    const std::uint64_t small_cost = ip_length(path(), small) * milliseconds / 10;
    EXPECT_EQ(send(plane, path(), small, 50, 0), 100 * milliseconds / small_cost);
}

// A packet that one bucket refuses takes nothing from the other.
TEST_P(FlowEveryPath, ARefusedPacketCostsNothing) {
    DataPlane& plane = DataPlane::with();
    stem_flow flow = wide_flow();
    flow.ns_per_packet = 20 * milliseconds;
    flow.packets_burst_ns = 20 * milliseconds;
    flow.ns_per_kib = 1'024'000;
    plane.set_flow(media_key(path()), flow);
    const Packet packet = media(path(), Rtp{});
    expect(plane, path().direction, packet, forwarded(STEM_FLOW));
    const stem_flow once = plane.flow_of(media_key(path()));
    EXPECT_EQ(once.packets_full_at_ns, plane.now() + 20 * milliseconds);
    EXPECT_EQ(once.bytes_full_at_ns, plane.now() + 1000 * ip_length(path(), packet));
    expect(plane, path().direction, packet, dropped(STEM_FLOW_PACKET_RATE));
    EXPECT_EQ(plane.flow_of(media_key(path())).bytes_full_at_ns, once.bytes_full_at_ns);

    stem_flow few_bytes = flow;
    few_bytes.bytes_burst_ns = 1;
    few_bytes.bytes_full_at_ns = plane.now() + 1; // an empty bucket takes one packet, however large
    plane.set_flow(media_key(path()), few_bytes);
    expect(plane, path().direction, packet, dropped(STEM_FLOW_BYTE_RATE));
    EXPECT_EQ(plane.flow_of(media_key(path())).packets_full_at_ns, 0U);
}

// An open pinhole beats rules and policy; a deny beats the pinhole.
TEST_P(FlowEveryPath, StandsBetweenDenyAndRules) {
    DataPlane& plane = DataPlane::with();
    stem_rule none_shall_pass{};
    none_shall_pass.match = STEM_MATCH_INBOUND | STEM_MATCH_OUTBOUND;
    none_shall_pass.action = STEM_ACTION_DROP;
    plane.set_rules({none_shall_pass});
    plane.set_flow(media_key(path()), wide_flow());
    expect(plane, path().direction, media(path(), Rtp{}), forwarded(STEM_FLOW));
    plane.add_deny(path().src());
    expect(plane, path().direction, media(path(), Rtp{}), dropped(STEM_DENY));
    EXPECT_EQ(plane.flow_of(media_key(path())).packets, 1U);
}

TEST(FlowModule, SwitchedOffJudgesNothing) {
    DataPlane& plane = DataPlane::with({.modules = 0});
    const Path path{};
    plane.set_flow(media_key(path), wide_flow());
    expect(plane, STEM_INBOUND, media(path, Rtp{}), dropped(STEM_NO_PINHOLE));
    expect(plane, STEM_INBOUND, path / (Udp{.dport = 5060} / Sip{}), dropped(STEM_NO_PINHOLE));
    EXPECT_EQ(plane.flow_of(media_key(path)).packets, 0U);
}

} // namespace
} // namespace stem::test
