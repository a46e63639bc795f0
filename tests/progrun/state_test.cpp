// SPDX-License-Identifier: Apache-2.0
// Rules that keep state: UDP, echoes, ICMP errors, other protocols, fragments; and what bounds the table.
#include "rule_spec.h"
#include "tcp_talk.h"

namespace stem::test {
namespace {

stem_state_key key_of(const Path& path, std::uint8_t protocol, std::uint16_t sport, std::uint16_t dport) {
    const bool inbound = path.direction == STEM_INBOUND;
    stem_state_key key{};
    key.inside = path.inside().raw();
    key.outside = path.outside().raw();
    key.inside_port = inbound ? dport : sport;
    key.outside_port = inbound ? sport : dport;
    key.protocol = protocol;
    return key;
}

stem_rule keeping(stem_direction direction, std::optional<std::uint8_t> protocol = {}) {
    return to_rule({.action = STEM_ACTION_PASS,
                    .flags = STEM_RULE_KEEP_STATE,
                    .ways = direction == STEM_INBOUND ? std::uint16_t{STEM_MATCH_INBOUND}
                                                      : std::uint16_t{STEM_MATCH_OUTBOUND},
                    .protocol = protocol});
}

class State : public EveryPath {
  protected:
    static DataPlane& plane(const Settings& settings = {}) {
        DataPlane& plane = DataPlane::with(settings);
        plane.set_rules({keeping(path().direction)});
        return plane;
    }
    static Packet asked(std::uint16_t sport = 40000) {
        return path() / (Udp{.sport = sport, .dport = 53} / Payload{Bytes(40)});
    }
    static Packet answered(std::uint16_t dport = 40000) {
        return path().back() / (Udp{.sport = 53, .dport = dport} / Payload{Bytes(100)});
    }
    static stem_direction there() { return path().direction; }
    static stem_direction back() { return path().back().direction; }
};
INSTANTIATE_TEST_SUITE_P(Paths, State, every_path(), name_of_path);

// Where the shape does not matter.
using StateBounds = State;
INSTANTIATE_TEST_SUITE_P(Paths, StateBounds,
                         testing::Combine(testing::Values(Shape::v4, Shape::v6),
                                          testing::Values(STEM_INBOUND, STEM_OUTBOUND)),
                         name_of_path);

TEST_P(State, LetsUdpAnswersBack) {
    DataPlane& data_plane = plane();
    expect(data_plane, back(), answered(), dropped(STEM_NO_PINHOLE));
    expect(data_plane, there(), asked(), forwarded(STEM_RULE_PASS));
    const auto key = key_of(path(), 17, 40000, 53);
    EXPECT_EQ(data_plane.state_of(key)->phase, STEM_STATE_ASKED);
    expect(data_plane, there(), asked(), forwarded(STEM_STATE));
    expect(data_plane, back(), answered(), forwarded(STEM_STATE));
    const auto state = data_plane.state_of(key);
    EXPECT_EQ(state->phase, STEM_STATE_ANSWERED);
    EXPECT_EQ(state->packets[there()], 2U);
    EXPECT_EQ(state->packets[back()], 1U);
    EXPECT_EQ(state->bytes[back()], ip_length(path().back(), answered()));
    // Another port, another protocol: nobody's.
    expect(data_plane, back(), answered(40001), dropped(STEM_NO_PINHOLE));
    expect(data_plane, back(), path().back() / Packet(Tcp{.sport = 53, .dport = 40000, .ack = true}),
           dropped(STEM_POLICY_DROP));
    // Not answered: 30 s; answered: 180 s after the last packet.
    data_plane.advance(180 * seconds - 1);
    expect(data_plane, back(), answered(), forwarded(STEM_STATE));
    data_plane.advance(180 * seconds);
    expect(data_plane, back(), answered(), dropped(STEM_NO_PINHOLE));
    EXPECT_EQ(data_plane.count_states(), 0U);
    expect(data_plane, there(), asked(), forwarded(STEM_RULE_PASS));
    data_plane.advance(30 * seconds);
    expect(data_plane, back(), answered(), dropped(STEM_NO_PINHOLE));
}

TEST_P(State, LetsEchoesBack) {
    DataPlane& data_plane = plane();
    const bool v6 = path().is_v6();
    const auto echo = [&](const Path& way, bool request, std::uint32_t rest) {
        return v6 ? way.network() / Icmpv6{.type = std::uint8_t(request ? 128 : 129), .rest = rest}
                  : way.network() / Icmp{.type = std::uint8_t(request ? 8 : 0), .rest = rest};
    };
    expect(data_plane, back(), echo(path().back(), false, 0x00070001), dropped(STEM_POLICY_DROP));
    expect(data_plane, there(), echo(path(), true, 0x00070001), forwarded(STEM_RULE_PASS));
    EXPECT_EQ(data_plane.state_of(key_of(path(), v6 ? 58 : 1, 7, 7))->phase, STEM_STATE_ECHO);
    expect(data_plane, back(), echo(path().back(), false, 0x00070001), forwarded(STEM_STATE));
    expect(data_plane, there(), echo(path(), true, 0x00070002), forwarded(STEM_STATE));
    // Another identifier; and a request is no answer.
    expect(data_plane, back(), echo(path().back(), false, 0x00080001), dropped(STEM_POLICY_DROP));
    expect(data_plane, back(), echo(path().back(), true, 0x00070001), dropped(STEM_POLICY_DROP));
    data_plane.advance(20 * seconds);
    expect(data_plane, back(), echo(path().back(), false, 0x00070001), dropped(STEM_POLICY_DROP));
    // ICMP that asks nothing passes by the rule, and begins nothing.
    expect(data_plane, there(), path().icmp(v6 ? 129 : 0), forwarded(STEM_RULE_PASS));
    EXPECT_EQ(data_plane.count_states(), 0U);
}

TEST_P(State, KeepsOtherProtocolsByAddress) {
    DataPlane& data_plane = plane();
    const auto raw = [&](const Path& way) { return way / Packet(Payload{Bytes(20)}); };
    expect(data_plane, back(), raw(path().back()), dropped(STEM_POLICY_DROP));
    expect(data_plane, there(), raw(path()), forwarded(STEM_RULE_PASS));
    expect(data_plane, back(), raw(path().back()), forwarded(STEM_STATE));
}

TEST_P(State, FollowsNoFragments) {
    DataPlane& data_plane = plane();
    const auto fragment = [&](const Path& way, bool first) {
        if (way.is_v6()) {
            return way.network() / Fragment{.offset = std::uint16_t(first ? 0 : 100), .more = first} /
                   Udp{.sport = 40000, .dport = 53} / Payload{Bytes(64)};
        }
        Packet packet = way / (Udp{.sport = 40000, .dport = 53} / Payload{Bytes(64)});
        packet.get<IPv4>().more_fragments = first;
        packet.get<IPv4>().fragment_offset = first ? 0 : 100;
        return packet;
    };
    expect(data_plane, there(), fragment(path(), true), dropped(STEM_FRAGMENT));
    expect(data_plane, there(), fragment(path(), false), dropped(STEM_FRAGMENT_ORPHAN));
    EXPECT_EQ(data_plane.count_states(), 0U);
    expect(data_plane, there(), asked(), forwarded(STEM_RULE_PASS));
    expect(data_plane, back(), fragment(path().back(), false), dropped(STEM_FRAGMENT_ORPHAN));
}

// An ICMP error to the sender of `quoted`, which went along `path`.
Packet error_about(const Path& path, const Packet& quoted, std::uint8_t type, std::size_t octets = 64) {
    const Bytes frame = quoted.bytes();
    const std::size_t link = path.link_length();
    const std::size_t size = std::min(octets, frame.size() - link);
    const Payload quotation{
        Bytes(frame.begin() + static_cast<long>(link), frame.begin() + static_cast<long>(link + size))};
    const Path back = path.back();
    const Address router = ip(path.is_v6() ? "2001:db8:9::9" : "203.0.113.9");
    const Packet network = back.network(router, back.dst());
    return path.is_v6() ? network / Icmpv6{.type = type, .rest = 0} / quotation
                        : network / Icmp{.type = type, .rest = 0} / quotation;
}

TEST_P(StateBounds, LetsErrorsThroughThatQuoteAConnection) {
    DataPlane& data_plane = plane();
    const bool v6 = path().is_v6();
    const std::uint8_t unreachable = v6 ? 1 : 3;
    expect(data_plane, back(), error_about(path(), asked(), unreachable), dropped(STEM_POLICY_DROP));
    expect(data_plane, there(), asked(), forwarded(STEM_RULE_PASS));
    for (const unsigned type : v6 ? std::vector<unsigned>{1, 2, 3, 4} : std::vector<unsigned>{3, 11, 12}) {
        expect(data_plane, back(), error_about(path(), asked(), static_cast<std::uint8_t>(type)),
               forwarded(STEM_STATE_RELATED));
    }
    // The headers and eight octets are enough, seven are not.
    const std::size_t headers = v6 ? 40 : 20;
    expect(data_plane, back(), error_about(path(), asked(), unreachable, headers + 8),
           forwarded(STEM_STATE_RELATED));
    expect(data_plane, back(), error_about(path(), asked(), unreachable, headers + 7),
           dropped(STEM_POLICY_DROP));
    // Another port; not an error; what the other end has never sent; to somebody else.
    expect(data_plane, back(), error_about(path(), asked(40001), unreachable), dropped(STEM_POLICY_DROP));
    expect(data_plane, back(), error_about(path(), asked(), v6 ? 137 : 5), dropped(STEM_POLICY_DROP));
    expect(data_plane, back(), error_about(path(), answered(), unreachable), dropped(STEM_POLICY_DROP));
    Packet astray = error_about(path(), asked(), unreachable);
    if (v6) {
        astray.get<IPv6>().dst = ip("2001:db8:2::77");
    } else {
        astray.get<IPv4>().dst = ip("198.51.100.77");
    }
    expect(data_plane, back(), astray, dropped(STEM_POLICY_DROP));
    // It changes nothing.
    EXPECT_EQ(data_plane.state_of(key_of(path(), 17, 40000, 53))->phase, STEM_STATE_ASKED);
    data_plane.advance(30 * seconds);
    expect(data_plane, back(), error_about(path(), asked(), unreachable), dropped(STEM_POLICY_DROP));
}

TEST_P(StateBounds, HoldsErrorsToTcpsNumbers) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path(), .client_window = 5000, .server_window = 5000};
    talk.open(data_plane);
    const std::uint8_t unreachable = path().is_v6() ? 1 : 3;
    const auto error = [&](std::uint32_t ahead) {
        return error_about(path(), talk.client_data(100, ahead), unreachable);
    };
    expect(data_plane, talk.there(), talk.client_data(1000), forwarded(STEM_STATE));
    expect(data_plane, back(), error(0), forwarded(STEM_STATE_RELATED));
    expect(data_plane, back(), error(1000), forwarded(STEM_STATE_RELATED));
    expect(data_plane, back(), error(1001), dropped(STEM_POLICY_DROP));
    expect(data_plane, back(), error(static_cast<std::uint32_t>(-2)), dropped(STEM_POLICY_DROP));
    // The server's segments, quoted to the server.
    const auto other = [&](std::uint32_t ahead) {
        return error_about(path().back(), talk.server_data(10, ahead), unreachable);
    };
    expect(data_plane, there(), other(0), forwarded(STEM_STATE_RELATED));
    data_plane.set_rules({});
    expect(data_plane, there(), other(5), dropped(STEM_POLICY_DROP));
}

TEST_P(StateBounds, BoundsASource) {
    DataPlane& data_plane = plane();
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.state_source_max = 3;
    data_plane.set_thresholds(limits);
    for (std::uint16_t i = 0; i < 3; i++) {
        expect(data_plane, there(), asked(1000 + i), forwarded(STEM_RULE_PASS));
    }
    expect(data_plane, there(), asked(1003), dropped(STEM_STATE_FULL));
    expect(data_plane, there(), asked(1000), forwarded(STEM_STATE)); // what it has, it keeps
    // IPv6 by the /64, IPv4 by the address.
    const auto from = [&](const char* v4, const char* v6) {
        return path().network(ip(path().is_v6() ? v6 : v4), path().dst()) / Udp{.sport = 1, .dport = 53};
    };
    const bool in = path().direction == STEM_INBOUND;
    expect(data_plane, there(), from("192.0.2.77", in ? "2001:db8:1:0:1:2:3:4" : "2001:db8:2:0:1:2:3:4"),
           path().is_v6() ? dropped(STEM_STATE_FULL) : forwarded(STEM_RULE_PASS));
    expect(data_plane, there(), from("192.0.2.78", "2001:db8:1:5::1"), forwarded(STEM_RULE_PASS));
    // Room again when one has ended.
    data_plane.advance(30 * seconds);
    EXPECT_GE(data_plane.sweep(), 3U);
    expect(data_plane, there(), asked(1003), forwarded(STEM_RULE_PASS));
    EXPECT_EQ(data_plane.count_states(), 1U);
    EXPECT_EQ(data_plane.state_usage().states, 1);
}

TEST_P(StateBounds, BoundsASourcesRate) {
    DataPlane& data_plane = plane();
    stem_thresholds limits = DataPlane::default_thresholds();
    limits.state_source_rate = 5;
    data_plane.set_thresholds(limits);
    for (std::uint16_t i = 0; i < 5; i++) {
        expect(data_plane, there(), asked(1000 + i), forwarded(STEM_RULE_PASS));
    }
    expect(data_plane, there(), asked(1005), dropped(STEM_STATE_FULL));
    data_plane.advance(200 * milliseconds);
    expect(data_plane, there(), asked(1005), forwarded(STEM_RULE_PASS));
    expect(data_plane, there(), asked(1006), dropped(STEM_STATE_FULL));
}

// A full table refuses the new, and takes nothing from who is there.
TEST_P(StateBounds, StaysWhereItIsWhenFull) {
    DataPlane& data_plane = plane({.states_max = 64});
    TcpTalk talk{.path = path()};
    talk.open(data_plane);
    const bool in = path().direction == STEM_INBOUND;
    const std::uint16_t room = in ? 48 : 64; // the last quarter is not for strangers
    for (std::uint16_t i = 1; i < room; i++) {
        expect(data_plane, there(), asked(2000 + i), forwarded(STEM_RULE_PASS));
    }
    for (std::uint16_t i = 0; i < 50; i++) {
        expect(data_plane, there(), asked(3000 + i), dropped(STEM_STATE_FULL));
    }
    expect(data_plane, there(), talk.client_data(100), forwarded(STEM_STATE));
    expect(data_plane, back(), talk.server_data(100), forwarded(STEM_STATE));
    if (in) {
        data_plane.set_peer(path().src(), {.expires_ns = 0, .phones = 1, .kinds = STEM_PEER_TRUNK});
        for (std::uint16_t i = room; i < 64; i++) {
            expect(data_plane, there(), asked(4000 + i), forwarded(STEM_RULE_PASS));
        }
    }
    expect(data_plane, there(), asked(5000), dropped(STEM_STATE_FULL));
    // Full: who has no answer has a second, and more of it as the sweep makes room; the established stays.
    data_plane.advance(1 * seconds);
    EXPECT_GE(data_plane.sweep(), 1U);
    expect(data_plane, there(), asked(5000), forwarded(STEM_RULE_PASS));
    expect(data_plane, there(), talk.client_data(100), forwarded(STEM_STATE));
}

// With stemd away nobody sweeps: then a full table is swept by who finds it full, at most every ten seconds.
TEST_P(StateBounds, SweepsItselfWhenNobodyDoes) {
    DataPlane& data_plane = plane({.states_max = 64});
    const std::uint16_t room = path().direction == STEM_INBOUND ? 48 : 64;
    for (std::uint16_t i = 0; i < room; i++) {
        expect(data_plane, there(), asked(2000 + i), forwarded(STEM_RULE_PASS));
    }
    data_plane.advance(9 * seconds);
    expect(data_plane, there(), asked(5000), dropped(STEM_STATE_FULL));
    data_plane.advance(21 * seconds);
    expect(data_plane, there(), asked(5000), forwarded(STEM_RULE_PASS));
    EXPECT_LT(data_plane.count_states(), room);
    EXPECT_EQ(data_plane.state_usage().states, static_cast<std::int64_t>(data_plane.count_states()));
    EXPECT_EQ(data_plane.state_usage().swept_ns, data_plane.now());
}

TEST_P(StateBounds, FlushesAll) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path()};
    talk.open(data_plane);
    expect(data_plane, there(), asked(), forwarded(STEM_RULE_PASS));
    EXPECT_EQ(data_plane.sweep(), 0U);
    EXPECT_EQ(data_plane.sweep(true), 2U);
    expect(data_plane, back(), talk.server_data(10), dropped(STEM_POLICY_DROP));
    EXPECT_EQ(data_plane.state_usage().states, 0);
}

} // namespace
} // namespace stem::test
