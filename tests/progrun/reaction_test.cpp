// SPDX-License-Identifier: Apache-2.0
// What lasting excess leads to: drop, lower, end; for all streams or one. All media together. Denied flows.
#include "negotiated.h"
#include "signalling.h"
#include "verdict.h"

namespace stem::test {
namespace {

class Reaction : public testing::TestWithParam<Path> {
  protected:
    void SetUp() override { plane.set_flow(media_key(path), negotiated(g711)); }
    [[nodiscard]] stem_flow flow() const { return plane.flow_of(media_key(path)); }
    void set(std::uint32_t reaction) {
        limits.rtp_reaction = reaction;
        plane.set_thresholds(limits);
    }
    // `times` the packets of 20 ms that a codec sends; gives what passed in octets of IP.
    std::uint64_t flood(unsigned milliseconds_long, unsigned times) {
        const std::uint64_t before = flow().bytes;
        for (unsigned at = 0; at < milliseconds_long; at += 20) {
            for (unsigned i = 0; i < times; i++) {
                (void)plane.run(path.direction, sender.next());
            }
            plane.advance(20 * milliseconds);
            (void)plane.take_events();
        }
        return flow().bytes - before;
    }

    DataPlane& plane = DataPlane::with();
    Path path = GetParam();
    Sender sender{.path = path};
    stem_thresholds limits = DataPlane::default_thresholds();
};
INSTANTIATE_TEST_SUITE_P(Paths, Reaction,
                         testing::Values(Path{.shape = Shape::v4, .direction = STEM_INBOUND},
                                         Path{.shape = Shape::v6, .direction = STEM_OUTBOUND}),
                         [](const auto& tested) { return tested.param.is_v6() ? "v6" : "v4"; });

TEST_P(Reaction, DropsTheExcessForEver) {
    flood(60000, 5);
    EXPECT_EQ(flow().state, 0);
    EXPECT_TRUE(plane.take_notices().empty());
    const std::uint64_t rate = std::uint64_t{1024} * seconds / flow().ns_per_kib;
    const std::uint64_t passed = flood(10000, 5);
    EXPECT_LE(passed, 10 * rate + 500);
    EXPECT_GE(passed, 9 * rate);
    EXPECT_GT(flow().faults[STEM_FAULT_BYTE_RATE] + flow().faults[STEM_FAULT_PACKET_RATE], 0U);
    plane.advance(seconds);
    const std::uint64_t dropped = flow().dropped_packets;
    flood(5000, 1); // within its rate again: nothing is held against it
    EXPECT_EQ(flow().dropped_packets, dropped);
}

TEST_P(Reaction, LowersTheStream) {
    set(STEM_REACT_LOWER);
    flood(2000, 5);
    EXPECT_EQ(flow().state, 0);
    flood(3000, 5);
    EXPECT_EQ(flow().state, STEM_STREAM_LOWERED);
    const auto notices = plane.take_notices();
    ASSERT_EQ(notices.size(), 1U);
    EXPECT_EQ(notices[0].kind, STEM_NOTICE_LOWERED);
    EXPECT_EQ(notices[0].dialog, 7U);
    EXPECT_EQ(notices[0].key.sport, media_sport);
    EXPECT_EQ(Address(notices[0].key.src), path.src());
    EXPECT_EQ(notices[0].time_ns % milliseconds, 0U);
    const std::uint64_t passed = flood(10000, 5); // 32 kbit/s: 4,000 octets a second
    EXPECT_LE(passed, 10 * 4000U + 4000 * 3 / 10 + 500);
    EXPECT_GE(passed, 9 * 4000U);
    EXPECT_TRUE(plane.take_notices().empty()) << "once";
    EXPECT_EQ(flow().offered_ns_per_kib, negotiated(g711).ns_per_kib);
}

TEST_P(Reaction, EndsTheStream) {
    set(STEM_REACT_END);
    flood(5000, 5);
    EXPECT_EQ(flow().state, STEM_STREAM_ENDED);
    const auto notices = plane.take_notices();
    ASSERT_EQ(notices.size(), 1U);
    EXPECT_EQ(notices[0].kind, STEM_NOTICE_ENDED);
    plane.advance(3600 * seconds);
    expect(plane, path.direction, sender.next(), "a packet of an ended stream", dropped(STEM_FLOW_ENDED));
    EXPECT_GT(flow().faults[STEM_FAULT_ENDED], 0U);
    EXPECT_TRUE(plane.take_notices().empty());
}

TEST_P(Reaction, MaliceEndsItToo) {
    set(STEM_REACT_END);
    sender.payload = 480;
    for (int i = 0; i < 400; i++) { // 8 s of the same number
        (void)plane.run(path.direction, sender.frame());
        plane.advance(20 * milliseconds);
        (void)plane.take_events();
    }
    EXPECT_EQ(flow().state, STEM_STREAM_ENDED);
    ASSERT_EQ(plane.take_notices().size(), 1U);
}

TEST_P(Reaction, BearsWhatDoesNotLast) {
    set(STEM_REACT_END);
    for (int i = 0; i < 20; i++) {
        flood(2000, 5); // two seconds, and a pause
        plane.advance(3 * seconds);
    }
    EXPECT_GT(flow().dropped_packets, 1000U);
    EXPECT_EQ(flow().state, 0);
    for (int i = 0; i < 60; i++) { // a payload type that was not agreed, five times a second
        for (int n = 0; n < 5; n++) {
            Sender noise = sender;
            noise.type = 96;
            (void)plane.run(path.direction, noise.frame());
            plane.advance(200 * milliseconds);
        }
        (void)plane.take_events();
    }
    EXPECT_EQ(flow().state, 0);
    EXPECT_EQ(flow().faults[STEM_FAULT_PAYLOAD_TYPE], 300U);
}

TEST_P(Reaction, AFlowMayHaveItsOwn) {
    set(STEM_REACT_END);
    stem_flow spared = negotiated(g711);
    spared.reaction = STEM_REACT_DROP;
    plane.set_flow(media_key(path), spared);
    flood(10000, 5);
    EXPECT_EQ(flow().state, 0);
    set(STEM_REACT_DROP);
    stem_flow strict = negotiated(g711);
    strict.reaction = STEM_REACT_END;
    plane.set_flow(media_key(path), strict);
    flood(10000, 5);
    EXPECT_EQ(flow().state, STEM_STREAM_ENDED);
}

// A stream whose signalling is blocked is silent for so long, and no longer: that is not its excess.
TEST_P(Reaction, ABlockOfItsSignallingIsNotItsExcess) {
    set(STEM_REACT_END);
    const Path caller{.shape = path.shape, .direction = STEM_INBOUND};
    stem_flow named = negotiated(g711);
    named.stream = stream_of(caller);
    plane.set_flow(media_key(path), named);
    expect(plane, path.direction, sender.next(), "media", forwarded(STEM_FLOW));
    for (int i = 0; i < 120; i++) {
        (void)plane.run(STEM_INBOUND, from_phone(caller, sip_of("INVITE")).bytes());
    }
    (void)plane.take_events();
    plane.refill_event_budget();
    expect(plane, path.direction, sender.next(), "media", dropped(STEM_SIP_STREAM_BLOCKED));
    flood(60000, 1);
    EXPECT_EQ(flow().state, 0);
    EXPECT_EQ(flow().packets, 1U);
    EXPECT_TRUE(plane.take_notices().empty());
    expect(plane, path.direction, sender.next(), "media", forwarded(STEM_FLOW));
}

TEST_P(Reaction, HoldsAllMediaTogether) {
    limits.rtp_total_kbps = 400; // 50,000 octets a second; ten streams want 10,000 each
    plane.set_thresholds(limits);
    std::vector<stem_flow_key> keys;
    for (std::uint16_t n = 0; n < 10; n++) {
        stem_flow_key key = media_key(path);
        key.dport = static_cast<std::uint16_t>(media_dport + 2 * n);
        plane.set_flow(key, negotiated(g711));
        keys.push_back(key);
    }
    const auto one_round = [&] {
        for (const auto& key : keys) {
            (void)plane.run(path.direction,
                            (path / (Udp{.sport = media_sport, .dport = key.dport} /
                                     Rtp{.sequence = sender.sequence, .timestamp = sender.timestamp}))
                                .bytes());
        }
        sender.sequence++;
        plane.advance(20 * milliseconds);
        (void)plane.take_events();
    };
    for (int i = 0; i < 500; i++) {
        one_round();
    }
    std::uint64_t bytes = 0;
    std::uint64_t over = 0;
    for (const auto& key : keys) {
        const stem_flow each = plane.flow_of(key);
        bytes += each.bytes;
        over += each.faults[STEM_FAULT_TOTAL];
        EXPECT_EQ(each.dropped_packets, each.faults[STEM_FAULT_TOTAL]);
        EXPECT_EQ(each.state, 0) << "it is not the stream's doing";
    }
    EXPECT_LE(bytes, 10 * 50000U + 50000 / 5 + 500);
    EXPECT_GE(bytes, 10 * 50000U - 2000);
    EXPECT_GT(over, 2000U);
    stem_thresholds none = limits;
    none.rtp_total_kbps = 1; // one packet a second and a half: what says why
    plane.set_thresholds(none);
    expect(plane, path.direction, sender.next(), "one too many", dropped(STEM_FLOW_TOTAL));
    limits.rtp_total_kbps = 0;
    plane.set_thresholds(limits);
    expect(plane, path.direction, sender.next(), "without a limit", forwarded(STEM_FLOW));
}

TEST_P(Reaction, DeniedFlows) {
    stem_flow denied = negotiated(g711);
    denied.denied_until_ns = plane.now() + 10 * seconds;
    plane.set_flow(media_key(path), denied);
    expect(plane, path.direction, sender.next(), "while denied", dropped(STEM_FLOW_DENIED));
    plane.advance(10 * seconds);
    expect(plane, path.direction, sender.next(), "after it", forwarded(STEM_FLOW));
    EXPECT_EQ(flow().faults[STEM_FAULT_DENIED], 1U);
}

} // namespace
} // namespace stem::test
