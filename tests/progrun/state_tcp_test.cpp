// SPDX-License-Identifier: Apache-2.0
// Rules that keep state: TCP by flags and sequence windows, from both sides, in every shape.
#include "rule_spec.h"
#include "tcp_talk.h"

namespace stem::test {
namespace {

const Bytes scale_7{1, 3, 3, 7}; // no operation, window scale (RFC 7323 2.2)

class StateTcp : public EveryPath {
  protected:
    static DataPlane& plane() {
        DataPlane& plane = DataPlane::with();
        plane.set_rules(
            {to_rule({.action = STEM_ACTION_PASS,
                      .flags = STEM_RULE_KEEP_STATE,
                      .ways = path().direction == STEM_INBOUND ? std::uint16_t{STEM_MATCH_INBOUND}
                                                               : std::uint16_t{STEM_MATCH_OUTBOUND},
                      .protocol = 6,
                      .dport = PortRange{443, 443}})});
        return plane;
    }
};
INSTANTIATE_TEST_SUITE_P(Paths, StateTcp, every_path(), name_of_path);

// Where the shape does not matter: each family, begun on each side.
using StateTcpWindow = StateTcp;
INSTANTIATE_TEST_SUITE_P(Paths, StateTcpWindow,
                         testing::Combine(testing::Values(Shape::v4, Shape::v6),
                                          testing::Values(STEM_INBOUND, STEM_OUTBOUND)),
                         name_of_path);

TEST_P(StateTcp, CarriesAConnectionFromSynToFin) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path()};
    talk.open(data_plane, scale_7, scale_7);
    auto state = data_plane.state_of(talk.key());
    ASSERT_TRUE(state);
    EXPECT_EQ(state->phase, STEM_STATE_ESTABLISHED);
    EXPECT_EQ(state->origin, path().direction);
    EXPECT_EQ(state->end[talk.there()].scale, 7);
    EXPECT_EQ(state->packets[talk.there()], 2U);
    EXPECT_EQ(state->packets[talk.back()], 1U);

    expect(data_plane, talk.there(), talk.client_data(300), forwarded(STEM_STATE));
    expect(data_plane, talk.there(), talk.client_data(300), forwarded(STEM_STATE)); // once more
    talk.client += 300;
    expect(data_plane, talk.back(), talk.server_data(700), forwarded(STEM_STATE));
    talk.server += 700;
    // Closed by the client, then by the server.
    expect(data_plane, talk.there(),
           talk.from_client({.sequence = talk.client, .acknowledged = talk.server, .ack = true, .fin = true}),
           forwarded(STEM_STATE));
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_CLOSING);
    talk.client++;
    expect(data_plane, talk.back(), talk.server_data(500), forwarded(STEM_STATE)); // half open still
    talk.server += 500;
    expect(data_plane, talk.back(),
           talk.from_server({.sequence = talk.server, .acknowledged = talk.client, .ack = true, .fin = true}),
           forwarded(STEM_STATE));
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_CLOSED);
    talk.server++;
    expect(data_plane, talk.there(), talk.client_data(0), forwarded(STEM_STATE));
    // And over after its time.
    data_plane.advance(30 * seconds);
    expect(data_plane, talk.back(), talk.server_data(0), dropped(STEM_POLICY_DROP));
    EXPECT_FALSE(data_plane.state_of(talk.key()));
    EXPECT_EQ(data_plane.state_usage().states, 0);
}

TEST_P(StateTcp, BeginsWithASynOnly) {
    DataPlane& data_plane = plane();
    const TcpTalk talk{.path = path()};
    for (const Tcp& segment :
         {Tcp{.ack = true}, Tcp{.syn = true, .ack = true}, Tcp{.rst = true}, Tcp{.ack = true, .fin = true}}) {
        expect(data_plane, talk.there(), talk.from_client(segment), dropped(STEM_STATE_WINDOW));
    }
    for (const Tcp& absurd :
         {Tcp{.syn = true, .fin = true}, Tcp{.syn = true, .rst = true}, Tcp{.fin = true}}) {
        expect(data_plane, talk.there(), talk.from_client(absurd), dropped(STEM_TCP_HEADER));
    }
    EXPECT_EQ(data_plane.count_states(), 0U);
    // The rule is for one direction: the other is not opened, by whatever flags.
    expect(data_plane, talk.back(), talk.from_server({.syn = true}), dropped(STEM_POLICY_DROP));
    expect(data_plane, talk.back(), talk.from_server({.syn = true, .ack = true}), dropped(STEM_POLICY_DROP));
}

TEST_P(StateTcpWindow, HoldsAnswersToTheSyn) {
    DataPlane& data_plane = plane();
    const TcpTalk talk{.path = path()};
    expect(data_plane, talk.there(), talk.syn(), forwarded(STEM_RULE_PASS));
    const auto answer = [&](Tcp segment) { return talk.from_server(segment); };
    for (const Tcp& wrong :
         {Tcp{.sequence = 9000, .acknowledged = talk.client, .syn = true, .ack = true},
          Tcp{.sequence = 9000, .acknowledged = talk.client + 2, .syn = true, .ack = true},
          Tcp{.sequence = 9000, .acknowledged = 0, .syn = true, .ack = true},
          Tcp{.sequence = 9000, .syn = true},
          Tcp{.sequence = 9000, .acknowledged = talk.client + 1, .ack = true},
          Tcp{.sequence = 0, .rst = true}, Tcp{.sequence = 0, .acknowledged = 7, .ack = true, .rst = true}}) {
        expect(data_plane, talk.back(), answer(wrong), dropped(STEM_STATE_WINDOW));
    }
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_SYN_SENT);
    expect(data_plane, talk.there(), talk.client_data(10, 1),
           dropped(STEM_STATE_WINDOW)); // before the answer
    // The SYN again, then the refusal.
    expect(data_plane, talk.there(), talk.syn(), forwarded(STEM_STATE));
    expect(data_plane, talk.back(),
           answer({.sequence = 0, .acknowledged = talk.client + 1, .ack = true, .rst = true}),
           forwarded(STEM_STATE));
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_CLOSED);
    // The same ports anew: by the rule, as a connection of its own.
    TcpTalk anew = talk;
    anew.client = 77777;
    expect(data_plane, anew.there(), anew.syn(), forwarded(STEM_RULE_PASS));
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_SYN_SENT);
    EXPECT_EQ(data_plane.state_usage().states, 1);
}

TEST_P(StateTcpWindow, RefusesWhatIsOutsideTheWindow) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path(), .client_window = 1000, .server_window = 2000};
    talk.open(data_plane);
    // Up to the last octet that the other end has room for, and not one more.
    expect(data_plane, talk.there(), talk.client_data(1000, 1000), forwarded(STEM_STATE));
    expect(data_plane, talk.there(), talk.client_data(1000, 1001), dropped(STEM_STATE_WINDOW));
    expect(data_plane, talk.there(), talk.client_data(1, 2000), dropped(STEM_STATE_WINDOW));
    expect(data_plane, talk.back(), talk.server_data(1000), forwarded(STEM_STATE));
    expect(data_plane, talk.back(), talk.server_data(1001), dropped(STEM_STATE_WINDOW));
    // A repetition may be a window old, no older.
    expect(data_plane, talk.there(), talk.client_data(10, 0), forwarded(STEM_STATE));
    expect(data_plane, talk.there(), talk.client_data(10, static_cast<std::uint32_t>(-1)),
           dropped(STEM_STATE_WINDOW));
    // Nothing is acknowledged that was not sent, nor from long ago.
    const auto acknowledging = [&](std::uint32_t number) {
        return talk.from_client(
            {.sequence = talk.client, .acknowledged = number, .ack = true, .window = 1000});
    };
    expect(data_plane, talk.there(), acknowledging(talk.server + 1000), forwarded(STEM_STATE));
    expect(data_plane, talk.there(), acknowledging(talk.server + 1001), dropped(STEM_STATE_WINDOW));
    expect(data_plane, talk.there(), acknowledging(talk.server + 1000 - 66000), forwarded(STEM_STATE));
    expect(data_plane, talk.there(), acknowledging(talk.server + 1000 - 66001), dropped(STEM_STATE_WINDOW));
    // The acknowledgement has moved the server's window on by as much.
    expect(data_plane, talk.back(), talk.server_data(1000, 1000), forwarded(STEM_STATE));
    expect(data_plane, talk.back(), talk.server_data(1, 2000), dropped(STEM_STATE_WINDOW));
    EXPECT_EQ(data_plane.state_counters()[STEM_STATES_REFUSED_WINDOW] > 0, true);
}

TEST_P(StateTcpWindow, ProbesAClosedWindow) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path(), .client_window = 0, .server_window = 0};
    talk.open(data_plane);
    // A keep-alive has a number that is behind (RFC 9293 3.8.4).
    expect(data_plane, talk.there(), talk.client_data(0, static_cast<std::uint32_t>(-1)),
           forwarded(STEM_STATE));
    expect(data_plane, talk.there(), talk.client_data(1), forwarded(STEM_STATE));
    expect(data_plane, talk.there(), talk.client_data(2), dropped(STEM_STATE_WINDOW));
}

TEST_P(StateTcpWindow, ScalesWindowsOnlyIfBothOffer) {
    for (const bool both : {true, false}) {
        DataPlane& data_plane = plane();
        TcpTalk talk{.path = path(), .client_window = 1000, .server_window = 1000};
        talk.open(data_plane, scale_7, both ? scale_7 : Bytes{});
        // The client's ACK has said 1000: times 128, if both scale.
        const std::uint32_t room = both ? 128000 : 1000;
        expect(data_plane, talk.back(), talk.server_data(10, room - 10), forwarded(STEM_STATE));
        expect(data_plane, talk.back(), talk.server_data(10, room - 9), dropped(STEM_STATE_WINDOW));
        // The SYN-ACK's window is never scaled: nothing was acknowledged by the server since.
        TcpTalk fresh{.path = path(), .sport = 40001, .client_window = 1000, .server_window = 1000};
        fresh.open(data_plane, scale_7, both ? scale_7 : Bytes{});
        expect(data_plane, talk.there(), fresh.client_data(1000), forwarded(STEM_STATE));
        expect(data_plane, talk.there(), fresh.client_data(1001), dropped(STEM_STATE_WINDOW));
    }
}

TEST_P(StateTcpWindow, ReadsTheScaleAmongOtherOptions) {
    for (const auto& [options, scale] : std::initializer_list<std::pair<Bytes, unsigned>>{
             {{2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 9}, 9}, // as Linux sends them
             {{3, 3, 255}, 14},                                                     // more than there is
             {{0, 3, 3, 9}, 0},                                                     // after the end
             {{2, 0, 3, 3, 9}, 0},     // an option without length
             {{1, 1, 1, 3}, 0},        // cut short
             {{2, 40, 3, 3, 9}, 0}}) { // a lying length
        DataPlane& data_plane = plane();
        const TcpTalk talk{.path = path()};
        expect(data_plane, talk.there(), talk.syn(options), forwarded(STEM_RULE_PASS));
        EXPECT_EQ(data_plane.state_of(talk.key())->end[talk.there()].scale, scale);
    }
}

TEST_P(StateTcpWindow, TakesAResetInTheWindowAndEndsOnAnExactOne) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path(), .client_window = 5000, .server_window = 5000};
    talk.open(data_plane);
    const auto reset = [&](std::uint32_t number) {
        return talk.from_server({.sequence = number, .rst = true});
    };
    expect(data_plane, talk.back(), reset(talk.server + 5001), dropped(STEM_STATE_WINDOW));
    expect(data_plane, talk.back(), reset(talk.server - 5001), dropped(STEM_STATE_WINDOW));
    expect(data_plane, talk.back(), reset(talk.server + 0x80000000U), dropped(STEM_STATE_WINDOW));
    expect(data_plane, talk.back(), talk.from_server({.sequence = talk.server, .syn = true, .rst = true}),
           dropped(STEM_TCP_HEADER));
    // In the window, but a guess: the client answers it with a question.
    expect(data_plane, talk.back(), reset(talk.server + 4000), forwarded(STEM_STATE));
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_ESTABLISHED);
    expect(data_plane, talk.there(), talk.client_data(100), forwarded(STEM_STATE));
    expect(data_plane, talk.back(), reset(talk.server), forwarded(STEM_STATE));
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_CLOSED);
}

TEST_P(StateTcpWindow, LetsARestartedClientFindOut) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path()};
    talk.open(data_plane);
    const stem_state before = *data_plane.state_of(talk.key());
    TcpTalk again = talk;
    again.client = 0x70000000;
    expect(data_plane, talk.there(), again.syn(), forwarded(STEM_STATE)); // RFC 5961 4.2
    const stem_state after = *data_plane.state_of(talk.key());
    EXPECT_EQ(after.end[talk.there()].end, before.end[talk.there()].end);
    EXPECT_EQ(after.phase, STEM_STATE_ESTABLISHED);
    expect(data_plane, talk.back(), talk.server_data(0), forwarded(STEM_STATE)); // the question
    expect(data_plane, talk.there(), talk.from_client({.sequence = talk.client, .rst = true}),
           forwarded(STEM_STATE));
    expect(data_plane, talk.there(), again.syn(), forwarded(STEM_RULE_PASS));
    // From the other side a SYN opens nothing.
    expect(data_plane, talk.back(), talk.from_server({.sequence = talk.server, .syn = true}),
           dropped(STEM_STATE_WINDOW));
}

// A phone talks from one port for ever. When its server restarts, which knows nothing of the connection, the
// phone's new SYN must be answered, and the answer must get through.
TEST_P(StateTcpWindow, BeginsAnewWithAServerThatRestarted) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path()};
    talk.open(data_plane);
    TcpTalk again = talk;
    again.client = 0x70000000;
    again.server = 0x30000000;
    expect(data_plane, talk.there(), again.syn(), forwarded(STEM_STATE));
    // Not what answers something else.
    expect(
        data_plane, talk.back(),
        again.from_server({.sequence = again.server, .acknowledged = again.client, .syn = true, .ack = true}),
        dropped(STEM_STATE_WINDOW));
    expect(data_plane, talk.back(), again.syn_ack(scale_7), forwarded(STEM_STATE));
    again.client++;
    again.server++;
    expect(data_plane, talk.there(), again.client_data(0), forwarded(STEM_STATE));
    expect(data_plane, talk.there(), again.client_data(100), forwarded(STEM_STATE));
    expect(data_plane, talk.back(), again.server_data(100), forwarded(STEM_STATE));
    EXPECT_EQ(data_plane.state_of(talk.key())->phase, STEM_STATE_ESTABLISHED);
    // The old numbers are over.
    expect(data_plane, talk.there(), talk.client_data(10), dropped(STEM_STATE_WINDOW));
    EXPECT_EQ(data_plane.state_usage().states, 1);
}

TEST_P(StateTcpWindow, CountsThroughTheEndOfTheNumbers) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path(), .client = 0xffffff00U, .server = 0xfffffff0U};
    talk.open(data_plane);
    for (int i = 0; i < 20; i++) {
        expect(data_plane, talk.there(), talk.client_data(100), forwarded(STEM_STATE));
        talk.client += 100;
        expect(data_plane, talk.back(), talk.server_data(1000), forwarded(STEM_STATE));
        talk.server += 1000;
    }
    expect(data_plane, talk.there(), talk.client_data(10, 70000), dropped(STEM_STATE_WINDOW));
}

TEST_P(StateTcpWindow, EndsInItsTime) {
    struct Case {
        stem_state_phase phase;
        std::uint64_t time;
    };
    for (const Case& each :
         {Case{STEM_STATE_SYN_SENT, 30}, Case{STEM_STATE_SYN_RECEIVED, 30},
          Case{STEM_STATE_ESTABLISHED, 7440}, Case{STEM_STATE_CLOSING, 240}, Case{STEM_STATE_CLOSED, 30}}) {
        for (const bool late : {false, true}) {
            DataPlane& data_plane = plane();
            TcpTalk talk{.path = path()};
            talk.open(data_plane);
            stem_state state = *data_plane.state_of(talk.key());
            state.phase = static_cast<std::uint8_t>(each.phase);
            (void)data_plane.sweep(true);
            data_plane.put_state(talk.key(), state);
            data_plane.advance(each.time * seconds - (late ? 0 : 1));
            EXPECT_EQ(data_plane.sweep(), late ? 1U : 0U) << each.phase;
            EXPECT_EQ(data_plane.state_usage().states, late ? 0 : 1);
        }
    }
}

// The rules may go, and the deny list comes first.
TEST_P(StateTcpWindow, OutlivesItsRuleButNotADeny) {
    DataPlane& data_plane = plane();
    TcpTalk talk{.path = path()};
    talk.open(data_plane);
    data_plane.set_rules({to_rule({.action = STEM_ACTION_DROP})});
    expect(data_plane, talk.there(), talk.client_data(10), forwarded(STEM_STATE));
    data_plane.add_deny(path().src());
    expect(data_plane, talk.there(), talk.client_data(10), dropped(STEM_DENY));
}

} // namespace
} // namespace stem::test
