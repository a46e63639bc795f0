// SPDX-License-Identifier: Apache-2.0
// What honest phones and networks do must pass, all of it: thousands of packets each, with the figures that
// stemd gives a pinhole. And what is told of a stream's quality must be right.
#include "negotiated.h"
#include "verdict.h"

#include <cmath>
#include <random>

namespace stem::test {
namespace {

class HonestStream : public testing::TestWithParam<Path> {
  protected:
    void open(const std::string& media) { plane.set_flow(media_key(path), negotiated(media, path.is_v6())); }
    [[nodiscard]] stem_flow flow() const { return plane.flow_of(media_key(path)); }
    void expect_all_passed(unsigned packets) const {
        EXPECT_EQ(replay.dropped, 0U);
        EXPECT_EQ(replay.passed, packets);
        EXPECT_EQ(flow().packets, packets);
        EXPECT_EQ(flow().dropped_packets, 0U);
    }

    DataPlane& plane = DataPlane::with();
    Path path = GetParam();
    Sender sender{.path = path};
    Replay replay{plane, path};
    std::mt19937 random{1}; // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
};
INSTANTIATE_TEST_SUITE_P(Paths, HonestStream,
                         testing::Values(Path{.shape = Shape::v4, .direction = STEM_INBOUND},
                                         Path{.shape = Shape::v6, .direction = STEM_OUTBOUND}),
                         [](const auto& tested) { return tested.param.is_v6() ? "v6" : "v4"; });

TEST_P(HonestStream, TenMillisecondPackets) {
    open(g711);
    sender.payload = 80;
    for (int i = 0; i < 5000; i++) {
        replay.send(sender.next(80));
        plane.advance(10 * milliseconds);
    }
    expect_all_passed(5000);
    EXPECT_EQ(flow().lost, 0U);
}

TEST_P(HonestStream, VoiceActivityResumesWithABurst) {
    open(g711);
    for (int spurt = 0; spurt < 100; spurt++) {
        sender.marker = true;
        for (int i = 0; i < 30; i++) {
            replay.send(sender.next());
            sender.marker = false;
            plane.advance(i < 6 ? 0 : 20 * milliseconds); // the first come at once
        }
        const std::uint64_t silence = 1 + random() % 5;
        plane.advance(silence * seconds);
        sender.timestamp += static_cast<std::uint32_t>(silence * 8000);
    }
    expect_all_passed(3000);
    EXPECT_EQ(flow().lost, 0U);
}

// RFC 4733 2.5: the timestamp stands still, the duration grows, the end is sent three times; sound goes on
// beside it.
TEST_P(HonestStream, DigitsBesideTheSound) {
    open(g711);
    unsigned packets = 0;
    for (int digit = 0; digit < 150; digit++) {
        const std::uint32_t began = sender.timestamp;
        for (int i = 0; i < 10; i++) {
            replay.send(sender.next());
            Sender event = sender;
            event.type = 101;
            event.payload = 4;
            event.timestamp = began;
            event.marker = i == 0;
            for (int copies = i == 9 ? 3 : 1; copies > 0; copies--) {
                event.sequence = sender.sequence++;
                replay.send(event.frame());
                packets++;
            }
            packets++;
            plane.advance(20 * milliseconds);
        }
    }
    expect_all_passed(packets);
    EXPECT_EQ(flow().repeated, 0U);
}

TEST_P(HonestStream, JitterOfTwoHundredMilliseconds) {
    open(g711);
    sender.payload = 80;
    for (int burst = 0; burst < 200; burst++) {
        for (int held = 0; held < 20; held++) { // 200 ms of 10 ms packets, all at once
            replay.send(sender.next(80));
        }
        plane.advance(200 * milliseconds);
    }
    expect_all_passed(4000);
}

TEST_P(HonestStream, ClocksThatDrift) {
    for (const std::int64_t ppm : {-5000, -500, 500, 5000}) {
        open(g711);
        Replay drifting(plane, path);
        const auto interval = static_cast<std::uint64_t>(20'000'000 + 20 * ppm);
        for (int i = 0; i < 6000; i++) { // two minutes
            drifting.send(sender.next());
            plane.advance(interval);
        }
        EXPECT_EQ(drifting.dropped, 0U) << ppm;
    }
}

TEST_P(HonestStream, ComfortNoiseAndMarkers) {
    open(g711);
    for (int i = 0; i < 3000; i++) {
        const bool noise = i % 7 == 3;
        sender.type = noise ? 13 : 0;
        sender.payload = noise ? 1 : 160;
        sender.marker = i % 7 == 4;
        replay.send(sender.next());
        plane.advance(noise ? 200 * milliseconds : 20 * milliseconds);
    }
    expect_all_passed(3000);
}

TEST_P(HonestStream, SequenceNumbersWrap) {
    open(g711);
    sender.sequence = 65000;
    for (int i = 0; i < 70000; i++) {
        replay.send(sender.next());
        plane.advance(20 * milliseconds);
    }
    expect_all_passed(70000);
    EXPECT_EQ(flow().lost, 0U);
    EXPECT_EQ(flow().source[0].sequence, 65000U + 70000U - 1U);
}

TEST_P(HonestStream, TheNetworkReordersAndRepeats) {
    open(g711);
    std::vector<Bytes> sent;
    sent.reserve(4000);
    for (int i = 0; i < 4000; i++) {
        sent.push_back(sender.next());
    }
    // Neighbours swapped; each tenth comes 20 late.
    for (std::size_t i = 0; i + 1 < sent.size(); i += 2) {
        std::swap(sent[i], sent[i + 1]);
    }
    for (std::size_t i = 0; i + 20 < sent.size(); i += 40) {
        std::rotate(sent.begin() + static_cast<std::ptrdiff_t>(i),
                    sent.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                    sent.begin() + static_cast<std::ptrdiff_t>(i) + 21);
    }
    for (const Bytes& frame : sent) {
        replay.send(frame);
        plane.advance(20 * milliseconds);
    }
    expect_all_passed(4000);
    EXPECT_EQ(flow().lost, 0U);
    EXPECT_GT(flow().reordered, 1900U);
    EXPECT_EQ(flow().repeated, 0U);

    open(g711); // and each packet twice: a mirrored port, a broken bridge
    Replay twice(plane, path);
    for (int i = 0; i < 2000; i++) {
        const Bytes frame = sender.next();
        twice.send(frame);
        twice.send(frame);
        plane.advance(20 * milliseconds);
    }
    EXPECT_EQ(twice.dropped, 0U);
    EXPECT_EQ(flow().repeated, 2000U);
    EXPECT_EQ(flow().lost, 0U);
}

TEST_P(HonestStream, LosesAThird) {
    open(g711);
    unsigned sent = 0;
    unsigned gone = 0;
    unsigned tail = 0; // what is lost at the end nobody can know
    for (int i = 0; i < 5000; i++) {
        const Bytes frame = sender.next();
        if (i == 0 || random() % 3 != 0) {
            replay.send(frame);
            sent++;
            gone += std::exchange(tail, 0);
        } else {
            tail++;
        }
        plane.advance(20 * milliseconds);
    }
    expect_all_passed(sent);
    EXPECT_EQ(flow().lost, gone);
}

TEST_P(HonestStream, SwitchesAmongItsCodecs) {
    open(g711);
    const std::uint8_t types[] = {0, 8, 9};
    for (int i = 0; i < 3000; i++) {
        sender.type = types[i / 50 % 3];
        replay.send(sender.next());
        plane.advance(20 * milliseconds);
    }
    expect_all_passed(3000);
}

// RFC 4588 and 5109: sources of their own, beside the media's.
TEST_P(HonestStream, RetransmissionAndErrorCorrection) {
    open("m=video 30000 RTP/AVP 96 97 98\r\nb=AS:1000\r\na=rtpmap:96 H264/90000\r\na=rtpmap:97 rtx/90000\r\n"
         "a=fmtp:97 apt=96\r\na=rtpmap:98 ulpfec/90000\r\n");
    Sender rtx{.path = path, .sequence = 9000, .source = 0x55, .type = 97, .payload = 900};
    Sender fec{.path = path, .sequence = 60000, .source = 0x66, .type = 98, .payload = 900};
    sender.type = 96;
    sender.payload = 900;
    unsigned packets = 0;
    for (int frame = 0; frame < 1500; frame++) { // 30 a second
        for (int i = 0; i < 3; i++) {
            replay.send(sender.next(0));
            packets++;
        }
        sender.timestamp += 3000;
        replay.send(frame % 3 == 0 ? rtx.next(3000) : fec.next(3000));
        packets++;
        plane.advance(33 * milliseconds);
    }
    expect_all_passed(packets);
    EXPECT_EQ(flow().lost, 0U);
    EXPECT_EQ(flow().new_sources, 2U);
}

TEST_P(HonestStream, KeyFramesWithinTheBandwidth) {
    open("m=video 30000 RTP/AVP 96\r\nb=AS:1000\r\na=rtpmap:96 H264/90000\r\n");
    sender.type = 96;
    unsigned packets = 0;
    for (int frame = 0; frame < 1800; frame++) { // a minute; a key frame each two seconds, 60 kB at once
        const bool key = frame % 60 == 0;
        sender.payload = key ? 1200 : 900;
        for (int i = 0; i < (key ? 50 : 3); i++) {
            sender.marker = i == (key ? 49 : 2);
            replay.send(sender.next(0));
            packets++;
        }
        sender.timestamp += 3000;
        plane.advance(33 * milliseconds);
    }
    expect_all_passed(packets);
}

TEST_P(HonestStream, AFewNewSourcesAndRestarts) {
    open(g711);
    for (int part = 0; part < 20; part++) { // a transfer each half minute
        sender.source = static_cast<std::uint32_t>(random());
        sender.sequence = static_cast<std::uint16_t>(random());
        sender.timestamp = static_cast<std::uint32_t>(random());
        for (int i = 0; i < 1500; i++) {
            replay.send(sender.next());
            plane.advance(20 * milliseconds);
        }
        sender.sequence += 20000; // the same source begins anew
        for (int i = 0; i < 100; i++) {
            replay.send(sender.next());
            plane.advance(20 * milliseconds);
        }
    }
    expect_all_passed(20 * 1600);
    EXPECT_EQ(flow().new_sources, 19U);
    EXPECT_EQ(flow().jumps, 20U);
    EXPECT_EQ(flow().lost, 0U);
}

// RFC 3711: padding is encrypted and a tag is last, so the last octet is anything.
TEST_P(HonestStream, EncryptedPadding) {
    open("m=audio 30000 RTP/SAVP 0\r\n");
    for (int i = 0; i < 2000; i++) {
        Bytes frame = sender.next();
        frame[frame.size() - 172] |= 0x20;
        frame.back() = static_cast<std::uint8_t>(random());
        replay.send(frame);
        plane.advance(20 * milliseconds);
    }
    expect_all_passed(2000);
}

// RFC 3550 6.4.1, in floating point, beside what the data plane keeps.
TEST_P(HonestStream, MeasuresJitter) {
    stem_thresholds each = DataPlane::default_thresholds();
    each.rtp_quality = 2;
    plane.set_thresholds(each);
    open(g711);
    double jitter = 0;
    double largest = 0;
    std::uint64_t late = 0;
    for (int i = 0; i < 3000; i++) {
        const std::uint64_t now_late = random() % 30 * milliseconds;
        if (i > 0) {
            plane.advance(20 * milliseconds + now_late - late);
            const double step = std::abs(static_cast<double>(now_late) - static_cast<double>(late)) / 1e6;
            jitter += (step - jitter) / 16;
            largest = std::max(largest, jitter);
        }
        late = now_late;
        replay.send(sender.next());
        if (i % 100 == 99) {
            EXPECT_NEAR(flow().jitter_16 / 16.0 / 8.0, jitter, 0.2) << i;
        }
    }
    expect_all_passed(3000);
    EXPECT_GT(jitter, 5);
    EXPECT_NEAR(flow().max_jitter_us / 1000.0, largest, 0.2);
}

TEST_P(HonestStream, MeasuresJitterOfAShare) {
    for (const std::uint32_t quality : {0U, 1U}) {
        stem_thresholds limits = DataPlane::default_thresholds();
        limits.rtp_quality = quality;
        plane.set_thresholds(limits);
        open(g711);
        Replay some(plane, path);
        for (int i = 0; i < 6400; i++) {
            plane.advance(i % 2 == 0 ? 10 * milliseconds : 30 * milliseconds); // 10 ms each step
            some.send(sender.next());
        }
        EXPECT_EQ(some.dropped, 0U);
        if (quality == 0) {
            EXPECT_EQ(flow().jitter_16, 0U);
            EXPECT_EQ(flow().jitter_state, STEM_JITTER_NONE);
        } else {
            EXPECT_NEAR(flow().jitter_16 / 16.0 / 8.0, 10, 0.5);
        }
    }
}

// RTCP beside RTP has no sequence numbers, and disturbs none.
TEST_P(HonestStream, RtcpBesideRtp) {
    open(g711 + "a=rtcp-mux\r\n");
    unsigned packets = 0;
    for (int i = 0; i < 3000; i++) {
        replay.send(sender.next());
        packets++;
        if (i % 100 == 0) {
            replay.send(media(path, Rtcp{.type = 200, .body = 20}).bytes());
            packets++;
        }
        plane.advance(20 * milliseconds);
    }
    expect_all_passed(packets);
    EXPECT_EQ(flow().lost, 0U);
}

} // namespace
} // namespace stem::test
