// SPDX-License-Identifier: Apache-2.0
// The lane of unknown sources: however many they are, they send no more than it holds, and others go on.
#include "signalling.h"

namespace stem::test {
namespace {

class UnknownLane : public testing::TestWithParam<Shape> {
  protected:
    [[nodiscard]] static Path path() { return {.shape = GetParam(), .direction = STEM_INBOUND}; }

    // So many of `count` sources' messages went to stemd.
    [[nodiscard]] static int flood(const SteeringPlane& plane, const Packet& message, unsigned count,
                                   unsigned first = 0) {
        int passed = 0;
        for (unsigned i = 0; i < count; i++) {
            const auto sent =
                plane.send(path(), from_address(path(), another(path(), first + i), message), 1);
            passed += sent.passed;
            EXPECT_TRUE(sent.passed == 1 || sent.reason == STEM_SIP_UNKNOWN_LANE) << sent.reason;
        }
        return passed;
    }
};
INSTANTIATE_TEST_SUITE_P(Families, UnknownLane, testing::Values(Shape::v4, Shape::v6),
                         [](const auto& family) { return name_of(family.param); });

// Half a second's worth at once.
TEST_P(UnknownLane, HoldsAllSourcesTogether) {
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.sip_unknown_invites = 100;
    limits.sip_unknown_registers = 200;
    limits.sip_unknown_requests = 40;
    limits.sip_unknown_responses = 20;
    const SteeringPlane plane(limits);
    const auto before = plane->sip_count(STEM_SIP_KIND_INVITE, STEM_INBOUND); // since the plane was loaded
    EXPECT_EQ(flood(plane, sip_of("INVITE"), 120), 50);
    EXPECT_EQ(flood(plane, sip_of("REGISTER"), 120), 100);
    EXPECT_EQ(flood(plane, sip_response(), 20), 10);
    // OPTIONS, the rest and noise share theirs.
    EXPECT_EQ(flood(plane, sip_of("OPTIONS"), 10), 10);
    EXPECT_EQ(flood(plane, Payload{Bytes(40)}, 5), 5);
    EXPECT_EQ(flood(plane, sip_of("MESSAGE"), 10), 5);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("INVITE")), dropped(STEM_SIP_UNKNOWN_LANE));
    const auto after = plane->sip_count(STEM_SIP_KIND_INVITE, STEM_INBOUND);
    EXPECT_EQ(after.steered[STEM_LANE_UNKNOWN] - before.steered[STEM_LANE_UNKNOWN], 50U);
    EXPECT_EQ(after.over_lane - before.over_lane, 71U);
    EXPECT_EQ(after.limited, before.limited);
    plane->advance(100 * milliseconds);
    EXPECT_EQ(flood(plane, sip_of("INVITE"), 20), 10);
}

TEST_P(UnknownLane, IsNotTheKnownPeersNorTheInsides) {
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.sip_unknown_invites = 10;
    limits.sip_unknown_responses = 2;
    const SteeringPlane plane(limits);
    plane->set_peer(path().src(), {.phones = 1, .kinds = STEM_PEER_REGISTERED});
    EXPECT_EQ(flood(plane, sip_of("INVITE"), 20), 5);
    EXPECT_EQ(flood(plane, sip_response(), 5), 1);
    const auto known = steered(STEM_STEER_SIP).by_lane(STEM_LANE_KNOWN);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("INVITE")), known);
    expect(*plane, STEM_OUTBOUND, from_phone(path().back(), sip_of("INVITE")), known);
    // Who was asked from inside may answer: by the known lane, for four minutes.
    const Address asked = another(path(), 500);
    const Packet answer = from_address(path(), asked, sip_response());
    expect(*plane, STEM_INBOUND, answer, dropped(STEM_SIP_UNKNOWN_LANE));
    const Packet question = path().back().network(path().inside(), asked) /
                            (Udp{.sport = sip_port, .dport = phone_port} / sip_of("INVITE"));
    expect(*plane, STEM_OUTBOUND, question, known);
    expect(*plane, STEM_INBOUND, answer, known);
    expect(*plane, STEM_INBOUND, from_address(path(), asked, sip_of("INVITE")),
           dropped(STEM_SIP_UNKNOWN_LANE));
    plane->advance(240 * seconds - 1);
    expect(*plane, STEM_INBOUND, answer, known);
    plane->advance(1);
    expect(*plane, STEM_INBOUND, answer, steered(STEM_STEER_SIP));
}

TEST_P(UnknownLane, HoldsOctets) {
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.sip_unknown_bytes = 10'000;
    const SteeringPlane plane(limits);
    const auto length = ip_length(path(), from_phone(path(), sip_of("REGISTER")));
    EXPECT_EQ(flood(plane, sip_of("REGISTER"), 50), static_cast<int>(5'000 / length));
}

TEST_P(UnknownLane, IsNarrowUnderAnAlarm) {
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.sip_unknown_invites = 200;
    limits.detector_unknown_share = 10;
    const SteeringPlane plane(limits);
    plane->set_posture(STEM_POSTURE_KNOWN_SIP);
    EXPECT_EQ(flood(plane, sip_of("INVITE"), 20), 10);
    limits.detector_unknown_share = 0;
    plane->set_thresholds(limits);
    plane->advance(10 * seconds);
    EXPECT_EQ(flood(plane, sip_of("INVITE"), 5), 0);
    plane->set_posture(STEM_POSTURE_KNOWN_SYN); // another's
    EXPECT_EQ(flood(plane, sip_of("INVITE"), 110), 100);
}

// Sources that are over the lane leave nothing behind: the entries of those that behave stay.
TEST_P(UnknownLane, KeepsNothingOfWhomItTurnsAway) {
    stem_thresholds limits = small_budgets();
    limits.sip_unknown_registers = 2;
    const SteeringPlane plane(limits);
    EXPECT_EQ(flood(plane, sip_of("REGISTER"), 1), 1);
    const Packet request = from_phone(path(), sip_of("REGISTER"));
    EXPECT_EQ(plane.send(path(), request, 500).passed, 0); // would be blocked, were they counted
    plane->advance(1 * seconds);
    expect(*plane, STEM_INBOUND, request, steered(STEM_STEER_SIP));
}

} // namespace
} // namespace stem::test
