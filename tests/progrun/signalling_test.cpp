// SPDX-License-Identifier: Apache-2.0
// Budgets of sources and streams: what is counted as what, who gets how much, and who is blocked.
#include "rule_spec.h"
#include "signalling.h"

namespace stem::test {
namespace {

using SignallingEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, SignallingEveryPath, every_path(), name_of_path);

// The kinds of path that differ in what is tested here.
class FromOutside : public testing::TestWithParam<Shape> {
  protected:
    [[nodiscard]] static Path path() { return {.shape = GetParam(), .direction = STEM_INBOUND}; }
};
INSTANTIATE_TEST_SUITE_P(Families, FromOutside, testing::Values(Shape::v4, Shape::v6),
                         [](const auto& family) { return name_of(family.param); });

TEST_P(SignallingEveryPath, TellsKindsByTheirFirstOctets) {
    const SteeringPlane plane;
    const struct {
        Packet message;
        stem_sip_kind kind;
    } cases[] = {
        {sip_of("INVITE"), STEM_SIP_KIND_INVITE},
        {sip_of("REGISTER"), STEM_SIP_KIND_REGISTER},
        {sip_of("OPTIONS"), STEM_SIP_KIND_OPTIONS},
        {sip_of("ACK"), STEM_SIP_KIND_REQUEST},
        {sip_of("SUBSCRIBE"), STEM_SIP_KIND_REQUEST},
        {sip_of("INVITES"), STEM_SIP_KIND_REQUEST},
        {sip_of("invite"), STEM_SIP_KIND_REQUEST}, // methods are case-sensitive (RFC 3261 7.1)
        {sip_of("X-1.!%*_+`'~"), STEM_SIP_KIND_REQUEST},
        {sip_of(std::string(24, 'M')), STEM_SIP_KIND_REQUEST},
        {sip_of(std::string(25, 'M')), STEM_SIP_KIND_NOISE},
        {sip_response(), STEM_SIP_KIND_RESPONSE},
        {Sip{.start_line = "sip/2.0 180 Ringing"}, STEM_SIP_KIND_RESPONSE},
        {Sip{.start_line = "SIP/3.0 180 Ringing"}, STEM_SIP_KIND_NOISE},
        {Sip{.start_line = " INVITE sip:bob@example.net SIP/2.0"}, STEM_SIP_KIND_NOISE},
        {Sip{.start_line = "GET/index.html HTTP/1.0"}, STEM_SIP_KIND_NOISE},
        {Payload{Bytes(40, 0x80)}, STEM_SIP_KIND_NOISE},
        {Payload{Bytes{'I', 'N', 'V', 'I', 'T', 'E', ' '}}, STEM_SIP_KIND_NOISE}, // seven octets
    };
    for (const auto& [message, kind] : cases) {
        SCOPED_TRACE(message.scapy());
        const auto before = plane->sip_count(kind, path().direction);
        expect(*plane, path().direction, from_phone(path(), message), steered(STEM_STEER_SIP));
        const auto after = plane->sip_count(kind, path().direction);
        const auto lane = path().direction == STEM_OUTBOUND ? STEM_LANE_KNOWN : STEM_LANE_UNKNOWN;
        EXPECT_EQ(after.steered[lane], before.steered[lane] + 1);
        EXPECT_EQ(after.steered[1 - lane], before.steered[1 - lane]);
        EXPECT_EQ(after.limited + after.over_lane, before.limited + before.over_lane);
    }
}

TEST_P(FromOutside, HoldsEachKindToABudgetOfItsOwn) {
    const SteeringPlane plane;
    const struct {
        Packet message;
        int budget; // of ten seconds
        stem_reason reason;
    } cases[] = {
        {sip_of("REGISTER"), 30, STEM_SIP_REGISTER_RATE}, {sip_of("OPTIONS"), 10, STEM_SIP_REQUEST_RATE},
        {sip_of("MESSAGE"), 20, STEM_SIP_REQUEST_RATE},   {sip_response(), 10, STEM_SIP_RESPONSE_RATE},
        {Payload{Bytes(40)}, 10, STEM_SIP_NOISE_RATE},
    };
    for (const auto& [message, budget, reason] : cases) {
        SCOPED_TRACE(message.scapy());
        const Packet packet = from_phone(path(), message);
        const auto sent = plane.send(path(), packet, budget + 5);
        EXPECT_EQ(sent.passed, budget);
        EXPECT_EQ(sent.reason, reason);
        expect(*plane, STEM_INBOUND, packet, dropped(reason));
    }
    // Others behind other addresses have theirs, and time gives more.
    EXPECT_EQ(plane.send(path(), from_address(path(), another(path(), 1), sip_of("REGISTER")), 31).passed,
              30);
    plane->advance(1 * seconds);
    EXPECT_EQ(plane.send(path(), from_phone(path(), sip_of("REGISTER")), 10).passed, 3);
}

TEST_P(FromOutside, HoldsOctetsToTheirBudget) {
    stem_thresholds limits = small_budgets();
    limits.sip_registers = 1000;
    limits.sip_bytes = 1000;
    const SteeringPlane plane(limits);
    const Packet packet = from_phone(path(), sip_of("REGISTER"));
    const auto fits = static_cast<int>(10'000 / ip_length(path(), packet));
    const auto sent = plane.send(path(), packet, fits + 3);
    EXPECT_EQ(sent.passed, fits);
    EXPECT_EQ(sent.reason, STEM_SIP_BYTE_RATE);
    expect(*plane, STEM_INBOUND, packet, dropped(STEM_SIP_BYTE_RATE));
}

TEST_P(FromOutside, BlocksTheStreamThatFloodsInvites) {
    const SteeringPlane plane;
    plane->set_stream_seed(0x1234567890abcdef);
    const auto stream = stream_of(path(), phone_port, 0x1234567890abcdef);
    const Packet invite = from_phone(path(), sip_of("INVITE"));
    EXPECT_EQ(plane.send(path(), invite, 10).passed, 10);
    EXPECT_FALSE(plane->blocked(stream));
    expect(*plane, STEM_INBOUND, invite, dropped(STEM_SIP_STREAM_BLOCKED));
    const auto blocked = plane->blocked(stream);
    ASSERT_TRUE(blocked);
    EXPECT_EQ(blocked->until_ns, plane->now() + 60 * seconds);
    EXPECT_EQ(blocked->strikes, 1U);
    EXPECT_EQ(blocked->sport, phone_port);
    EXPECT_EQ(blocked->dport, sip_port);
    EXPECT_EQ(Address(blocked->src), path().src());
    EXPECT_EQ(Address(blocked->dst), path().dst());
    // All of its signalling, and not that of the phone beside it, behind the same address.
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("BYE")), dropped(STEM_SIP_STREAM_BLOCKED));
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_response()), dropped(STEM_SIP_STREAM_BLOCKED));
    EXPECT_EQ(plane->blocked(stream)->packets, 2U);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("INVITE"), phone_port + 1),
           steered(STEM_STEER_SIP));
    plane->advance(60 * seconds - 1);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("BYE")), dropped(STEM_SIP_STREAM_BLOCKED));
    plane->advance(1);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("BYE")), steered(STEM_STEER_SIP));
}

TEST_P(FromOutside, BlocksLongerEachTime) {
    stem_thresholds limits = small_budgets();
    limits.sip_block_max = 200;
    const SteeringPlane plane(limits);
    const Packet invite = from_phone(path(), sip_of("INVITE"));
    for (const std::uint64_t period : {60U, 120U, 200U, 200U}) {
        const auto sent = plane.send(path(), invite, 15);
        EXPECT_EQ(sent.reason, STEM_SIP_STREAM_BLOCKED);
        ASSERT_TRUE(plane->blocked(stream_of(path())));
        EXPECT_EQ(plane->blocked(stream_of(path()))->until_ns, plane->now() + period * seconds);
        plane->advance(period * seconds);
    }
    plane->advance(200 * seconds + 1); // and is forgotten
    (void)plane.send(path(), invite, 15);
    EXPECT_EQ(plane->blocked(stream_of(path()))->until_ns, plane->now() + 60 * seconds);
}

TEST_P(FromOutside, StopsTheMediaOfABlockedStream) {
    const SteeringPlane plane;
    stem_flow flow = wide_flow();
    flow.stream = stream_of(path());
    plane->set_flow(media_key(path()), flow);
    stem_flow_key other_key = media_key(path());
    other_key.sport += 2;
    flow.stream = stream_of(path(), phone_port + 1);
    plane->set_flow(other_key, flow);
    const Packet audio = media(path(), Rtp{});
    const Packet other_audio = path() / (Udp{.sport = media_sport + 2, .dport = media_dport} / Packet(Rtp{}));
    expect(*plane, STEM_INBOUND, audio, forwarded(STEM_FLOW));
    (void)plane.send(path(), from_phone(path(), sip_of("INVITE")), 11);
    expect(*plane, STEM_INBOUND, audio, dropped(STEM_SIP_STREAM_BLOCKED));
    EXPECT_EQ(plane->flow_of(media_key(path())).dropped_packets, 1U);
    expect(*plane, STEM_INBOUND, other_audio, forwarded(STEM_FLOW));
    plane->advance(60 * seconds);
    expect(*plane, STEM_INBOUND, audio, forwarded(STEM_FLOW));
}

TEST_P(FromOutside, HoldsASourceOfManyStreamsToItsInvites) {
    const SteeringPlane plane;
    int passed = 0;
    for (std::uint16_t port = 6000; port < 6025; port++) {
        passed += plane.send(path(), from_phone(path(), sip_of("INVITE"), port), 1).passed;
    }
    EXPECT_EQ(passed, 20);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("INVITE"), 6025), dropped(STEM_SIP_INVITE_RATE));
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("REGISTER"), 6025), steered(STEM_STEER_SIP));
}

TEST_P(FromOutside, BlocksTheSignallingOfASourceAtAMultiple) {
    const SteeringPlane plane;
    const Packet request = from_phone(path(), sip_of("REGISTER"));
    const auto sent = plane.send(path(), request, 300);
    EXPECT_EQ(sent.passed, 30);
    EXPECT_EQ(sent.reason, STEM_SIP_REGISTER_RATE) << "what is over budget is dropped, and no more than that";
    plane->set_flow(media_key(path()), wide_flow());
    expect(*plane, STEM_INBOUND, request, dropped(STEM_SIP_SOURCE_BLOCKED));
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("INVITE")), dropped(STEM_SIP_SOURCE_BLOCKED));
    expect(*plane, STEM_INBOUND, media(path(), Rtp{}), forwarded(STEM_FLOW));
    expect(*plane, STEM_INBOUND, from_address(path(), another(path(), 1), sip_of("REGISTER")),
           steered(STEM_STEER_SIP));
    plane->advance(60 * seconds);
    expect(*plane, STEM_INBOUND, request, steered(STEM_STEER_SIP));
    // 0: never.
    stem_thresholds limits = small_budgets();
    limits.sip_block_multiple = 0;
    plane->set_thresholds(limits);
    EXPECT_EQ(plane.send(path(), request, 1000).reason, STEM_SIP_REGISTER_RATE);
}

TEST_P(FromOutside, GivesKnownPeersMoreForEachPhone) {
    const SteeringPlane plane;
    plane->set_peer(path().src(),
                    {.expires_ns = plane->now() + 5 * seconds, .phones = 3, .kinds = STEM_PEER_REGISTERED});
    const auto known = steered(STEM_STEER_SIP).by_lane(STEM_LANE_KNOWN);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("REGISTER")), known);
    auto sent = plane.send(path(), from_phone(path(), sip_of("REGISTER")), 370);
    EXPECT_EQ(sent.passed, 30 * 4 * 3 - 1);
    EXPECT_EQ(sent.reason, STEM_SIP_REGISTER_RATE);
    // One stream: its excess is dropped, and the stream blocked only at a multiple.
    sent = plane.send(path(), from_phone(path(), sip_of("INVITE")), 130);
    EXPECT_EQ(sent.passed, 10 * 4 * 3);
    EXPECT_EQ(sent.reason, STEM_SIP_INVITE_RATE);
    EXPECT_FALSE(plane->blocked(stream_of(path())));
    // Its time is up: nobody we know.
    plane->advance(5 * seconds);
    expect(*plane, STEM_INBOUND, from_phone(path(), sip_of("BYE")),
           steered(STEM_STEER_SIP).by_lane(STEM_LANE_UNKNOWN));
}

TEST_P(FromOutside, BlocksAKnownPeersStreamAtAMultiple) {
    stem_thresholds limits = small_budgets();
    limits.sip_invites = 1000; // only the stream's budget is reached
    const SteeringPlane plane(limits);
    plane->set_peer(path().src(), {.phones = 1, .kinds = STEM_PEER_DIALOG});
    const Packet invite = from_phone(path(), sip_of("INVITE"));
    const auto sent = plane.send(path(), invite, 400);
    EXPECT_EQ(sent.passed, 40);
    EXPECT_EQ(sent.reason, STEM_SIP_INVITE_RATE);
    expect(*plane, STEM_INBOUND, invite, dropped(STEM_SIP_STREAM_BLOCKED));
}

TEST_P(FromOutside, NeverBlocksATrunk) {
    for (const std::uint32_t kind : {STEM_PEER_TRUNK, STEM_PEER_CONFIGURED}) {
        stem_thresholds limits = small_budgets();
        limits.sip_trunk_factor = 5;
        limits.sip_block_multiple = 1;
        const SteeringPlane plane(limits);
        plane->set_peer(path().src(), {.phones = 1, .kinds = kind});
        const Packet invite = from_phone(path(), sip_of("INVITE"));
        const auto sent = plane.send(path(), invite, 200);
        EXPECT_EQ(sent.passed, 10 * 5);
        EXPECT_EQ(sent.reason, STEM_SIP_INVITE_RATE);
        EXPECT_FALSE(plane->blocked(stream_of(path())));
        plane->advance(1 * seconds);
        EXPECT_EQ(plane.send(path(), invite, 200).passed, 5);
    }
}

// What a rule steers is counted, too; a TCP segment that begins inside a message as what it is.
TEST_P(FromOutside, HoldsWhatARuleSteersToItsBudget) {
    const SteeringPlane plane;
    plane->set_rules({to_rule({.action = STEM_ACTION_STEER, .protocol = 6, .dport = PortRange{5060, 5060}})});
    const Packet segment = path() / (Tcp{.dport = sip_port} / Payload{Bytes(40)});
    const Bytes frame = segment.bytes();
    int passed = 0;
    for (int i = 0; i < 25; i++) {
        passed += plane->run(STEM_INBOUND, frame).action == XDP_REDIRECT ? 1 : 0;
    }
    EXPECT_EQ(passed, 20);
    plane->refill_event_budget();
    (void)plane->take_events();
    expect(*plane, STEM_INBOUND, segment, dropped(STEM_SIP_SEGMENT_RATE));
}

TEST(SignallingFromInside, HasATrunksBudget) {
    for (const Shape shape : {Shape::v4, Shape::v6}) {
        stem_thresholds limits = small_budgets();
        limits.sip_trunk_factor = 2;
        const SteeringPlane plane(limits);
        const Path path{.shape = shape, .direction = STEM_OUTBOUND};
        const auto sent = plane.send(path, from_phone(path, sip_of("REGISTER")), 100);
        EXPECT_EQ(sent.passed, 60);
        EXPECT_EQ(sent.reason, STEM_SIP_REGISTER_RATE);
    }
}

TEST(SignallingV6, CountsASlash64TooUnlessItIsKnown) {
    stem_thresholds limits = small_budgets();
    limits.sip_prefix_factor = 2;
    const SteeringPlane plane(limits);
    const Path path{.shape = Shape::v6, .direction = STEM_INBOUND};
    const auto neighbour = [](int number) { return ip("2001:db8:7::" + std::to_string(number)); };
    int passed = 0;
    for (int i = 1; i <= 70; i++) {
        passed += plane.send(path, from_address(path, neighbour(i), sip_of("REGISTER")), 1).passed;
    }
    EXPECT_EQ(passed, 60);
    expect(*plane, STEM_INBOUND, from_address(path, neighbour(99), sip_of("REGISTER")),
           dropped(STEM_SIP_REGISTER_RATE));
    expect(*plane, STEM_INBOUND, from_address(path, ip("2001:db8:8::1"), sip_of("REGISTER")),
           steered(STEM_STEER_SIP));
    plane->set_peer(neighbour(99), {.phones = 1, .kinds = STEM_PEER_REGISTERED});
    expect(*plane, STEM_INBOUND, from_address(path, neighbour(99), sip_of("REGISTER")),
           steered(STEM_STEER_SIP).by_lane(STEM_LANE_KNOWN));
    limits.sip_prefix_factor = 0; // not counted
    plane->set_thresholds(limits);
    expect(*plane, STEM_INBOUND, from_address(path, neighbour(98), sip_of("REGISTER")),
           steered(STEM_STEER_SIP));
}

} // namespace
} // namespace stem::test
