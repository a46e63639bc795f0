// SPDX-License-Identifier: Apache-2.0
// SYN monitor and kept connections together: what a connection's state lets through is an attempt, an answer
// or a completion all the same.
#include "rule_spec.h"
#include "tcp_talk.h"

#include <linux/bpf.h>

#include <string>
#include <vector>

namespace stem::test {
namespace {

class SynOfKept : public testing::TestWithParam<Shape> {
  protected:
    [[nodiscard]] static Path path() { return {.shape = GetParam(), .direction = STEM_INBOUND}; }

    static DataPlane& plane(const stem_thresholds& limits) {
        DataPlane& plane = DataPlane::with();
        plane.set_thresholds(limits);
        plane.set_rules({to_rule({.action = STEM_ACTION_PASS,
                                  .flags = STEM_RULE_KEEP_STATE,
                                  .ways = STEM_MATCH_INBOUND,
                                  .protocol = 6})});
        return plane;
    }
    static stem_thresholds limits() {
        stem_thresholds limits = DataPlane::default_thresholds();
        limits.syn_rate = 10;
        limits.syn_burst = 4;
        limits.syn_prefix_factor = 0;
        limits.syn_block_multiple = 0;
        limits.syn_half_open = 0;
        return limits;
    }
};
INSTANTIATE_TEST_SUITE_P(Families, SynOfKept, testing::Values(Shape::v4, Shape::v6_vlan),
                         [](const auto& family) { return name_of(family.param); });

// The same SYN over and over belongs to its connection, and is a flood.
TEST_P(SynOfKept, IsHeldToTheRateOfItsSource) {
    DataPlane& data_plane = plane(limits());
    const TcpTalk talk{.path = path()};
    expect(data_plane, STEM_INBOUND, talk.syn(), forwarded(STEM_RULE_PASS));
    for (int i = 0; i < 3; i++) {
        expect(data_plane, STEM_INBOUND, talk.syn(), forwarded(STEM_STATE));
    }
    expect(data_plane, STEM_INBOUND, talk.syn(), dropped(STEM_SYN_SOURCE_RATE));
    data_plane.advance(100 * milliseconds);
    expect(data_plane, STEM_INBOUND, talk.syn(), forwarded(STEM_STATE));
}

TEST_P(SynOfKept, IsSeenByTheDetectorBothWays) {
    DataPlane& data_plane = plane(limits());
    TcpTalk talk{.path = path()};
    talk.open(data_plane);
    EXPECT_EQ(data_plane.syn_counts()[STEM_SYN_COUNT_SYN], 1U);
    EXPECT_EQ(data_plane.syn_counts()[STEM_SYN_COUNT_SYN_ACK], 1U);
}

// Connections that complete take no room of those that do not.
TEST_P(SynOfKept, CompletesAndMakesRoom) {
    stem_thresholds few = limits();
    few.syn_burst = 1000;
    few.syn_half_open = 3;
    few.syn_unknown_rate = 0;
    DataPlane& data_plane = plane(few);
    for (std::uint16_t n = 0; n < 20; n++) {
        TcpTalk talk{.path = path(), .sport = static_cast<std::uint16_t>(40000 + n), .dport = 5060};
        talk.open(data_plane);
    }
    for (std::uint16_t n = 0; n < 3; n++) {
        const TcpTalk talk{.path = path(), .sport = static_cast<std::uint16_t>(50000 + n), .dport = 5060};
        expect(data_plane, STEM_INBOUND, talk.syn(), forwarded(STEM_RULE_PASS));
    }
    const TcpTalk next{.path = path(), .sport = 60000, .dport = 5060};
    expect(data_plane, STEM_INBOUND, next.syn(), dropped(STEM_SYN_UNKNOWN_LANE));
}

// Who forges a source does not see the server's answer, and cannot acknowledge it: its ACK completes nothing.
TEST_P(SynOfKept, AnAckThatAnswersNothingCompletesNothing) {
    stem_thresholds few = limits();
    few.syn_burst = 1000;
    few.syn_half_open = 3;
    few.syn_unknown_rate = 0;
    for (const bool answered : {false, true}) {
        DataPlane& data_plane = DataPlane::with({.fallback_open = true});
        data_plane.set_thresholds(few);
        data_plane.set_rules({}, STEM_ACTION_PASS, STEM_ACTION_PASS);
        for (std::uint16_t n = 0; n < 3; n++) {
            TcpTalk talk{.path = path(), .sport = static_cast<std::uint16_t>(40000 + n), .dport = 5060};
            expect(data_plane, STEM_INBOUND, talk.syn(), forwarded(STEM_FALLBACK_OPEN));
            if (answered) {
                expect(data_plane, STEM_OUTBOUND, talk.syn_ack(), forwarded(STEM_FALLBACK_OPEN));
            }
            talk.client++;
            talk.server += 77777; // a guess
            expect(data_plane, STEM_INBOUND, talk.client_data(0), forwarded(STEM_FALLBACK_OPEN));
        }
        const TcpTalk next{.path = path(), .sport = 50000, .dport = 5060};
        expect(data_plane, STEM_INBOUND, next.syn(), dropped(STEM_SYN_UNKNOWN_LANE));
    }
}

// After an outage a thousand phones behind one address begin at once, and try again as TCP does (RFC
// 6298 5.5: after 1, 3, 7 ... seconds). Nobody knows the address any more. All are back within a minute, none
// is banned.
TEST_P(SynOfKept, AThousandPhonesBehindOneAddressComeBack) {
    DataPlane& data_plane = plane(DataPlane::default_thresholds());
    std::vector<std::uint16_t> waiting;
    for (std::uint16_t n = 0; n < 1000; n++) {
        waiting.push_back(static_cast<std::uint16_t>(20000 + n));
    }
    const std::uint64_t began = data_plane.now();
    for (const std::uint64_t at : {0U, 1U, 3U, 7U, 15U, 31U, 59U}) {
        data_plane.set_time(began + at * seconds);
        std::erase_if(waiting, [&](std::uint16_t port) {
            TcpTalk talk{.path = path(), .sport = port, .dport = 5060};
            if (data_plane.run(STEM_INBOUND, talk.syn().bytes()).action != XDP_REDIRECT) {
                return false;
            }
            (void)data_plane.run(STEM_OUTBOUND, talk.syn_ack().bytes());
            talk.client++;
            talk.server++;
            return data_plane.run(STEM_INBOUND, talk.client_data(0).bytes()).action == XDP_REDIRECT;
        });
        (void)data_plane.take_events();
    }
    EXPECT_EQ(waiting.size(), 0U);
    EXPECT_EQ(data_plane.syn_counts()[STEM_SYN_COUNT_BLOCK], 0U);
}

// What goes to the SIP proxy counts as the proxy's: who calls a thousand inside addresses fills one backlog.
TEST_P(SynOfKept, WhatIsSteeredCountsAsTheProxys) {
    stem_thresholds few = limits();
    few.syn_burst = 1000;
    few.syn_half_open = 3;
    few.syn_unknown_rate = 0;
    DataPlane& data_plane = plane(few);
    stem_proxy proxy{};
    proxy.address = ip(path().is_v6() ? "2001:db8:2::50" : "198.51.100.50").raw();
    proxy.port = 5070;
    proxy.flags = STEM_PROXY_MAC_FIXED;
    proxy.mac[5] = 1;
    data_plane.set_proxy(path().is_v6() ? STEM_PROXY_V6 : STEM_PROXY_V4, proxy);
    const auto passes = [&](unsigned n) {
        const Address called = path().is_v6()
                                   ? ip("2001:db8:2::1:" + std::to_string(n))
                                   : Address::v4({198, 51, 100, static_cast<std::uint8_t>(100 + n)});
        const Packet syn = path().network(path().src(), called) /
                           Tcp{.sport = static_cast<std::uint16_t>(40000 + n), .dport = 5060, .syn = true};
        const bool passed = data_plane.run(STEM_INBOUND, syn.bytes()).action == XDP_REDIRECT;
        (void)data_plane.take_events();
        return passed;
    };
    unsigned passed = 0;
    for (unsigned n = 0; n < 20; n++) {
        passed += passes(n) ? 1U : 0U;
    }
    EXPECT_EQ(passed, 3U);
    // The proxy answers the first caller, who completes: there is room for one more.
    const Address proxy_address(proxy.address);
    const Packet answer =
        path().back().network(proxy_address, path().src()) /
        Tcp{.sport = 5070, .dport = 40000, .sequence = 9000, .acknowledged = 1, .syn = true, .ack = true};
    (void)data_plane.run(STEM_OUTBOUND, answer.bytes());
    const Address called = path().is_v6() ? ip("2001:db8:2::1:0") : ip("198.51.100.100");
    const Packet ack = path().network(path().src(), called) /
                       Tcp{.sport = 40000, .dport = 5060, .sequence = 1, .acknowledged = 9001, .ack = true};
    (void)data_plane.run(STEM_INBOUND, ack.bytes());
    (void)data_plane.take_events();
    EXPECT_TRUE(passes(30));
    EXPECT_FALSE(passes(31));
}

} // namespace
} // namespace stem::test
