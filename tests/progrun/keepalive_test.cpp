// SPDX-License-Identifier: Apache-2.0
// Keep-alives pass stemd by: so they must be no way in for a flood, nor to ports that are not SIP's.
#include "signalling.h"

namespace stem::test {
namespace {

class KeepAlive : public testing::TestWithParam<Shape> {
  protected:
    [[nodiscard]] static Path path() { return {.shape = GetParam(), .direction = STEM_INBOUND}; }
    static bool passes(DataPlane& plane, const Packet& packet) {
        const bool passed = plane.run(STEM_INBOUND, packet.bytes()).action == XDP_REDIRECT;
        (void)plane.take_events();
        return passed;
    }
    static Packet crlf() { return Payload{{'\r', '\n', '\r', '\n'}}; }
};
INSTANTIATE_TEST_SUITE_P(Families, KeepAlive, testing::Values(Shape::v4, Shape::v6),
                         [](const auto& family) { return name_of(family.param); });

// A budget for each source is none where sources are forged.
TEST_P(KeepAlive, OfAllUnknownSourcesTogetherAreBounded) {
    DataPlane& plane = DataPlane::with();
    const auto flood = [&](const Packet& keepalive, unsigned first) {
        unsigned passed = 0;
        for (unsigned n = 0; n < 5000; n++) {
            passed += passes(plane, from_address(path(), another(path(), first + n), keepalive)) ? 1U : 0U;
        }
        return passed;
    };
    EXPECT_LE(flood(crlf(), 0) + flood(Stun{}, 5000), 2000U);
}

TEST_P(KeepAlive, OfKnownPeersDoNotWaitForTheUnknown) {
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.keepalive_unknown = 2;
    limits.keepalive_rate = 10;
    DataPlane& plane = DataPlane::with();
    plane.set_thresholds(limits);
    expect(plane, STEM_INBOUND, from_address(path(), another(path(), 1), crlf()),
           forwarded(STEM_KEEPALIVE_CRLF));
    expect(plane, STEM_INBOUND, from_address(path(), another(path(), 2), crlf()),
           dropped(STEM_SIP_UNKNOWN_LANE));
    plane.set_peer(path().src(), {.phones = 1000, .kinds = STEM_PEER_REGISTERED});
    unsigned passed = 0;
    for (unsigned n = 0; n < 2000; n++) { // a thousand phones behind one address, within a second
        passed += passes(plane, from_phone(path(), crlf())) ? 1U : 0U;
    }
    EXPECT_EQ(passed, 1000U);
    plane.refill_event_budget();
    // From inside none is anybody's flood.
    expect(plane, STEM_OUTBOUND, from_phone(path().back(), crlf()), forwarded(STEM_KEEPALIVE_CRLF));
    plane.advance(500 * milliseconds);
    plane.set_posture(STEM_POSTURE_KNOWN_SIP);
    limits.detector_unknown_share = 0;
    plane.set_thresholds(limits);
    expect(plane, STEM_INBOUND, from_address(path(), another(path(), 3), crlf()),
           dropped(STEM_SIP_UNKNOWN_LANE));
}

// From the port of SIP to any other: only from whom something inside has asked, or who is known.
TEST_P(KeepAlive, ToAnotherPortComesFromWhoWasAsked) {
    DataPlane& plane = DataPlane::with();
    const auto to_port = [&](std::uint16_t port, const Packet& payload) {
        return path() / (Udp{.sport = sip_port, .dport = port} / payload);
    };
    const auto expect_shut = [&] {
        for (const std::uint16_t port : {std::uint16_t{53}, std::uint16_t{161}, std::uint16_t{3478}}) {
            expect(plane, STEM_INBOUND, to_port(port, crlf()), dropped(STEM_NO_PINHOLE));
            expect(plane, STEM_INBOUND, to_port(port, Stun{}), dropped(STEM_NO_PINHOLE));
            expect(plane, STEM_INBOUND, to_port(port, Packet(Payload{})), dropped(STEM_NO_PINHOLE));
        }
    };
    expect_shut();
    // What only answers has asked nobody: or one outside could have itself asked.
    const auto sent = [&](const Packet& payload) {
        return path().back() / (Udp{.sport = phone_port, .dport = sip_port} / payload);
    };
    expect(plane, STEM_OUTBOUND, sent(Payload{{'\r', '\n'}}), forwarded(STEM_KEEPALIVE_CRLF));
    expect(plane, STEM_OUTBOUND, sent(Stun{.type = 0x0101}), forwarded(STEM_KEEPALIVE_STUN));
    expect(plane, STEM_OUTBOUND, sent(Stun{.type = 0x0111}), forwarded(STEM_KEEPALIVE_STUN));
    expect_shut();
    for (const Packet& question : {Packet(crlf()), Packet(Stun{})}) {
        expect(plane, STEM_OUTBOUND, sent(question),
               forwarded(question.bytes().size() > 4 ? STEM_KEEPALIVE_STUN : STEM_KEEPALIVE_CRLF));
        expect(plane, STEM_INBOUND, to_port(phone_port, Payload{{'\r', '\n'}}),
               forwarded(STEM_KEEPALIVE_CRLF));
        expect(plane, STEM_INBOUND, to_port(phone_port, Stun{.type = 0x0101}),
               forwarded(STEM_KEEPALIVE_STUN));
        plane.advance(240 * seconds);
        expect_shut();
    }
    plane.set_peer(path().src(), {.phones = 1, .kinds = STEM_PEER_TRUNK});
    expect(plane, STEM_INBOUND, to_port(phone_port, Stun{}), forwarded(STEM_KEEPALIVE_STUN));
}

} // namespace
} // namespace stem::test
