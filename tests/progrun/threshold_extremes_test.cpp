// SPDX-License-Identifier: Apache-2.0
// Thresholds at the ends of what stemctl lets them be set to, one by one and all together: the least rate is
// a rate, and what is counted as one message is let through as one.
#include "negotiated.h"
#include "signalling.h"

#include <string_view>

namespace stem::test {
namespace {

struct Bound {
    std::string_view name;
    std::uint32_t stem_thresholds::* field;
    std::uint32_t low;
    std::uint32_t high;
};

constexpr Bound bounds[] = {
#define STEM_THRESHOLD_BOUND(name, unit, initial, low, high, help) {#name, &stem_thresholds::name, low, high},
    STEM_THRESHOLDS(STEM_THRESHOLD_BOUND)
#undef STEM_THRESHOLD_BOUND
};

class ThresholdExtremes : public testing::TestWithParam<Shape> {
  protected:
    [[nodiscard]] static Path path() { return {.shape = GetParam(), .direction = STEM_INBOUND}; }

    // One of each kind from a source that nobody knows, after a long silence.
    static void expect_one_of_each(const stem_thresholds& limits, std::string_view what) {
        SCOPED_TRACE(what);
        const SteeringPlane plane(limits);
        plane->set_rules({}, STEM_ACTION_DROP, STEM_ACTION_PASS);
        unsigned number = 0;
        for (const char* method : {"INVITE", "REGISTER", "OPTIONS", "MESSAGE"}) {
            plane->advance(3600 * seconds);
            EXPECT_EQ(
                plane.send(path(), from_address(path(), another(path(), number++), sip_of(method)), 1).passed,
                1)
                << method;
        }
        plane->advance(3600 * seconds);
        EXPECT_EQ(
            plane.send(path(), from_address(path(), another(path(), number++), sip_response()), 1).passed, 1);
        plane->advance(3600 * seconds);
        const Packet noise = Payload{Bytes(600, 'x')};
        EXPECT_EQ(plane.send(path(), from_address(path(), another(path(), number++), noise), 1).passed, 1);
        plane->advance(3600 * seconds);
        const Packet keepalive = Payload{{'\r', '\n'}};
        EXPECT_EQ(plane.send(path(), from_address(path(), another(path(), number++), keepalive), 1).reason,
                  STEM_KEEPALIVE_CRLF);
        plane->set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
        plane->advance(3600 * seconds);
        EXPECT_EQ(plane.send(path(), path() / Tcp{.dport = 5061, .syn = true}, 1).reason, STEM_POLICY_PASS);
        plane->advance(3600 * seconds);
        EXPECT_EQ(plane.send(path(), path() / Tcp{.dport = 5060, .syn = true}, 1).passed, 1); // to stemd
        plane->set_flow(media_key(path()), negotiated(g711, path().is_v6()));
        Sender sender{.path = path()};
        plane->advance(3600 * seconds);
        expect(*plane, STEM_INBOUND, sender.next(), "media", forwarded(STEM_FLOW));
        expect(*plane, STEM_INBOUND, sender.next(), "media", forwarded(STEM_FLOW));
    }
};
INSTANTIATE_TEST_SUITE_P(Families, ThresholdExtremes, testing::Values(Shape::v4, Shape::v6),
                         [](const auto& family) { return name_of(family.param); });

TEST_P(ThresholdExtremes, EachAloneLetsOneOfEachThrough) {
    for (const Bound& bound : bounds) {
        if (bound.name == "rtp_total_kbps") {
            continue; // what all media may be is a limit that may be below one stream
        }
        for (const std::uint32_t value : {bound.low, std::max(bound.low, 1U), bound.high}) {
            stem_thresholds limits = DataPlane::default_thresholds();
            limits.*bound.field = value;
            expect_one_of_each(limits, std::string(bound.name) + " = " + std::to_string(value));
        }
    }
}

TEST_P(ThresholdExtremes, AllTogetherToo) {
    for (const bool highest : {false, true}) {
        stem_thresholds limits = DataPlane::default_thresholds();
        for (const Bound& bound : bounds) {
            if (bound.name != "rtp_total_kbps") {
                limits.*bound.field = highest ? bound.high : std::max(bound.low, 1U);
            }
        }
        expect_one_of_each(limits, highest ? "all at their highest" : "all at their least");
    }
}

// Under an alarm a share is left, however small.
TEST_P(ThresholdExtremes, AShareIsAShare) {
    for (const std::uint32_t rate : {1U, 10U, 19U, 300U}) {
        stem_thresholds limits = DataPlane::default_thresholds();
        limits.sip_unknown_invites = rate;
        limits.detector_unknown_share = 1;
        const SteeringPlane plane(limits);
        plane->set_posture(STEM_POSTURE_KNOWN_SIP);
        plane->advance(3600 * seconds);
        EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("INVITE")), 1).passed, 1) << rate;
    }
}

// What was within yesterday's budget does not make anybody a flooder today.
TEST_P(ThresholdExtremes, ALowerIntervalBlocksNobody) {
    stem_thresholds limits = DataPlane::default_thresholds();
    const SteeringPlane plane(limits);
    EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("OPTIONS")), 60).passed, 60);
    EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("INVITE")), 60).passed, 60);
    limits.sip_interval = 100;
    plane->set_thresholds(limits);
    EXPECT_NE(plane.send(path(), from_phone(path(), sip_of("OPTIONS")), 1).reason, STEM_SIP_SOURCE_BLOCKED);
    EXPECT_NE(plane.send(path(), from_phone(path(), sip_of("INVITE")), 1).reason, STEM_SIP_STREAM_BLOCKED);
    plane->advance(2 * seconds);
    EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("OPTIONS")), 1).passed, 1);
    EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("INVITE")), 1).passed, 1);
}

// A stream that is lowered is not silenced.
TEST_P(ThresholdExtremes, ALoweredStreamStillHasARate) {
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.rtp_reaction = STEM_REACT_LOWER;
    limits.rtp_lowered_kbps = 1;
    DataPlane& plane = DataPlane::with();
    plane.set_thresholds(limits);
    plane.set_flow(media_key(path()), negotiated(g711, path().is_v6()));
    Sender sender{.path = path()};
    const auto talk = [&](unsigned packets, std::uint64_t interval) {
        for (unsigned i = 0; i < packets; i++) {
            (void)plane.run(STEM_INBOUND, sender.next());
            plane.advance(interval);
            (void)plane.take_events();
        }
    };
    talk(2000, 4 * milliseconds);
    ASSERT_EQ(plane.flow_of(media_key(path())).state, STEM_STREAM_LOWERED);
    const std::uint64_t before = plane.flow_of(media_key(path())).packets;
    talk(3000, 20 * milliseconds);
    EXPECT_GT(plane.flow_of(media_key(path())).packets, before + 10);
}

} // namespace
} // namespace stem::test
