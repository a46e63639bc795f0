// SPDX-License-Identifier: Apache-2.0
// What is no stream: frozen and repeated sequence numbers, jumps, made-up sources, headers that lie, payload
// types that nobody negotiated. Dropped with its reason, counted in the flow, and of no harm to the stream
// that it comes beside.
#include "negotiated.h"
#include "verdict.h"

#include <random>

namespace stem::test {
namespace {

class Malice : public testing::TestWithParam<Path> {
  protected:
    void SetUp() override { plane.set_flow(media_key(path), negotiated(g711)); }
    [[nodiscard]] stem_flow flow() const { return plane.flow_of(media_key(path)); }
    void expect_frame(const Bytes& frame, const Verdict& verdict) {
        expect(plane, path.direction, frame, "a packet of the stream", verdict);
    }
    // Packets of the stream itself, in order: all must pass.
    void talk(unsigned packets) {
        for (unsigned i = 0; i < packets; i++) {
            plane.advance(20 * milliseconds);
            expect_frame(sender.next(), forwarded(STEM_FLOW));
        }
    }

    DataPlane& plane = DataPlane::with();
    Path path = GetParam();
    Sender sender{.path = path};
    std::mt19937 random{1}; // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
};
INSTANTIATE_TEST_SUITE_P(Paths, Malice,
                         testing::Values(Path{.shape = Shape::v4, .direction = STEM_INBOUND},
                                         Path{.shape = Shape::v6, .direction = STEM_OUTBOUND}),
                         [](const auto& tested) { return tested.param.is_v6() ? "v6" : "v4"; });

// The attack of the paper: large packets, all with the same sequence number.
TEST_P(Malice, FrozenSequence) {
    talk(50);
    Sender attacker = sender;
    attacker.payload = 480;
    attacker.sequence--; // the stream's last
    for (unsigned i = 0; i < 16; i++) {
        plane.advance(20 * milliseconds);
        expect_frame(attacker.frame(), forwarded(STEM_FLOW));
    }
    for (unsigned i = 0; i < 500; i++) {
        plane.advance(20 * milliseconds);
        expect_frame(attacker.frame(), dropped(STEM_RTP_REPEATED));
        (void)plane.take_events();
    }
    EXPECT_EQ(flow().faults[STEM_FAULT_REPEATED], 500U);
    EXPECT_EQ(flow().dropped_packets, 500U);
    EXPECT_EQ(flow().repeated, 16U);
    talk(50); // new numbers pass as before
}

TEST_P(Malice, OldNumbersInTurn) {
    talk(60);
    Sender attacker = sender;
    unsigned passed = 0;
    for (unsigned i = 0; i < 400; i++) {
        attacker.sequence = static_cast<std::uint16_t>(sender.sequence - 1 - i % 40);
        plane.advance(20 * milliseconds);
        passed += plane.run(path.direction, attacker.frame()).action == dropped(STEM_FLOW).action ? 0U : 1U;
        (void)plane.take_events();
    }
    EXPECT_EQ(passed, 16U);
    EXPECT_EQ(flow().faults[STEM_FAULT_REPEATED], 384U);
}

TEST_P(Malice, NumbersAtRandom) {
    talk(10);
    Sender attacker = sender;
    unsigned passed = 0;
    for (unsigned i = 0; i < 1000; i++) {
        attacker.sequence = static_cast<std::uint16_t>(sender.sequence + 5000 + i * 7001 % 50000);
        plane.advance(milliseconds);
        passed += plane.run(path.direction, attacker.frame()).action == dropped(STEM_FLOW).action ? 0U : 1U;
        (void)plane.take_events();
    }
    EXPECT_EQ(passed, 12U); // rtp_restarts, a minute's
    EXPECT_EQ(flow().jumps, 12U);
    EXPECT_EQ(flow().faults[STEM_FAULT_SEQUENCE], 988U);
    expect_frame(attacker.frame(), dropped(STEM_RTP_SEQUENCE));
    talk(50); // and the stream is where it was
    EXPECT_EQ(flow().lost, 0U);
}

// RFC 3550 A.1: one packet leads nobody away; two in a row are a sender that began anew, and the stream comes
// back at the price of one packet at most.
TEST_P(Malice, AForgedPairMovesTheStreamForOnePacket) {
    talk(10);
    Sender attacker = sender;
    attacker.sequence += 30000;
    plane.advance(milliseconds);
    expect_frame(attacker.next(), forwarded(STEM_FLOW));
    talk(5);
    attacker.sequence += 10000;
    expect_frame(attacker.next(), forwarded(STEM_FLOW));
    expect_frame(attacker.next(), forwarded(STEM_FLOW));
    talk(50);
    EXPECT_EQ(flow().jumps, 3U);
}

TEST_P(Malice, SourcesAtRandom) {
    talk(10);
    Sender attacker = sender;
    unsigned passed = 0;
    for (unsigned i = 0; i < 1000; i++) {
        attacker.source = static_cast<std::uint32_t>(random());
        attacker.sequence = static_cast<std::uint16_t>(random());
        plane.advance(milliseconds);
        passed += plane.run(path.direction, attacker.frame()).action == dropped(STEM_FLOW).action ? 0U : 1U;
        (void)plane.take_events();
        if (i % 20 == 19) {
            expect_frame(sender.next(), forwarded(STEM_FLOW)); // the stream goes on through all of it
        }
    }
    EXPECT_EQ(passed, 12U);
    EXPECT_EQ(flow().new_sources, 12U);
    EXPECT_EQ(flow().faults[STEM_FAULT_SOURCES], 988U);
    EXPECT_EQ(flow().source[0].ssrc, sender.source);
    expect_frame(attacker.frame(), dropped(STEM_RTP_SOURCES));
}

TEST_P(Malice, ChecksAreSwitchedOffByTheirThresholds) {
    stem_thresholds off = DataPlane::default_thresholds();
    off.rtp_repeats = 0;
    off.rtp_restarts = 0;
    plane.set_thresholds(off);
    talk(1);
    for (unsigned i = 0; i < 100; i++) {
        plane.advance(20 * milliseconds);
        expect_frame(sender.frame(), forwarded(STEM_FLOW));
    }
    for (unsigned i = 0; i < 100; i++) {
        plane.advance(20 * milliseconds);
        sender.source = static_cast<std::uint32_t>(random());
        expect_frame(sender.next(), forwarded(STEM_FLOW));
    }
}

TEST_P(Malice, HeadersThatLie) {
    constexpr std::size_t rtp = 172; // octets from the RTP header on
    const auto with = [&](std::uint8_t flags,
                          const std::vector<std::pair<std::size_t, std::uint8_t>>& octets) {
        Bytes frame = sender.next();
        const std::size_t start = frame.size() - rtp;
        frame[start] = static_cast<std::uint8_t>(0x80 | flags);
        for (const auto& [offset, value] : octets) {
            frame[start + offset] = value;
        }
        plane.advance(20 * milliseconds);
        return frame;
    };
    const Verdict lies = dropped(STEM_RTP_HEADER);
    const Verdict true_ = forwarded(STEM_FLOW);
    expect_frame(with(0x0f, {}), true_); // 15 contributing sources: 72 of 172 octets
    // An extension: its length is at 14, in words.
    expect_frame(with(0x10, {{14, 0}, {15, 39}}), true_);
    expect_frame(with(0x10, {{14, 0}, {15, 40}}), lies);
    expect_frame(with(0x10, {{14, 0xff}, {15, 0xff}}), lies);
    expect_frame(with(0x1f, {{74, 0}, {75, 24}}), true_); // behind the sources
    expect_frame(with(0x1f, {{74, 0}, {75, 25}}), lies);
    // Padding: the last octet says how much, itself included.
    expect_frame(with(0x20, {{171, 0}}), lies);
    expect_frame(with(0x20, {{171, 1}}), true_);
    expect_frame(with(0x20, {{171, 160}}), true_);
    expect_frame(with(0x20, {{171, 161}}), lies);
    expect_frame(with(0x30, {{14, 0}, {15, 10}, {171, 116}}), true_);
    expect_frame(with(0x30, {{14, 0}, {15, 10}, {171, 117}}), lies);
    EXPECT_EQ(flow().faults[STEM_FAULT_HEADER], 6U);
    // Too short for the sources that it counts.
    Sender small = sender;
    small.payload = 20;
    Bytes frame = small.frame();
    frame[frame.size() - 32] = 0x8f;
    plane.advance(20 * milliseconds);
    expect_frame(frame, lies);
}

TEST_P(Malice, CountsEachKind) {
    talk(1);
    Sender other = sender;
    other.type = 96;
    expect_frame(other.frame(), dropped(STEM_RTP_PAYLOAD_TYPE));
    other = sender;
    other.payload = 1200;
    expect_frame(other.frame(), dropped(STEM_RTP_SIZE));
    expect(plane, path.direction, media(path, Rtp{.version = 1}), dropped(STEM_RTP_VERSION));
    const stem_flow after = flow();
    EXPECT_EQ(after.faults[STEM_FAULT_PAYLOAD_TYPE], 1U);
    EXPECT_EQ(after.faults[STEM_FAULT_SIZE], 1U);
    EXPECT_EQ(after.faults[STEM_FAULT_VERSION], 1U);
    EXPECT_EQ(after.dropped_packets, 3U);
    EXPECT_EQ(after.source[0].sequence, static_cast<std::uint16_t>(sender.sequence - 1))
        << "none of them moved it";
}

} // namespace
} // namespace stem::test
