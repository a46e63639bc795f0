// SPDX-License-Identifier: Apache-2.0
// What the Security Manager is told of calls that it let in, and the end that it sets for them.
#include <gmock/gmock.h>

#include "tests/unit/call/fakes.h"

namespace stem::call {
namespace {

using State = sm::Link::CallEvent::State;
using testing::ElementsAre;
using testing::IsEmpty;

class FollowTest : public MonitorTest {
  protected:
    std::vector<State> states() {
        std::vector<State> list;
        list.reserve(sm.events.size());
        for (const auto& event : sm.events) {
            list.push_back(event.state);
        }
        return list;
    }
    void answer() {
        from_caller(script.request("INVITE", 1, script.caller_sdp()));
        from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp()));
        from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack"));
    }
    void hang_up() {
        from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye"));
        from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye"));
    }
};

TEST_F(FollowTest, ACallIsFollowedFromItsDecisionToItsEnd) {
    answer();
    EXPECT_THAT(states(), ElementsAre(State::going, State::answered));
    ASSERT_EQ(sm.queries.size(), 1U);
    EXPECT_FALSE(sm.queries[0].call.empty());
    hang_up();
    ASSERT_THAT(states(), ElementsAre(State::going, State::answered, State::ended));
    for (const auto& event : sm.events) {
        EXPECT_EQ(event.call, sm.queries[0].call);
        EXPECT_EQ(event.call_id, script.call_id);
        EXPECT_EQ(event.caller, "sip:alice@example.org");
        EXPECT_EQ(event.callee, sm.queries[0].callee);
        EXPECT_EQ(event.user, "bob");
        EXPECT_EQ(event.direction, STEM_INBOUND);
    }
    EXPECT_EQ(sm.events.back().cause, "ended by BYE");
}

TEST_F(FollowTest, ACallThatFailsHasEnded) {
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    from_callee(script.response(486, "INVITE", 1, script.callee_tag));
    EXPECT_THAT(states(), ElementsAre(State::going, State::ended));
    EXPECT_EQ(sm.events.back().cause, "failed with 486");
}

TEST_F(FollowTest, AnAttemptAfterAChallengeIsTheSameCall) {
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    from_callee(script.response(407, "INVITE", 1, script.callee_tag));
    from_caller(script.request("INVITE", 2, script.caller_sdp(), "", "z9hG4bK-2"));
    EXPECT_THAT(states(), ElementsAre(State::going, State::ended, State::going));
    ASSERT_EQ(sm.queries.size(), 2U);
    EXPECT_EQ(sm.queries[0].call, sm.queries[1].call);
}

TEST_F(FollowTest, NothingIsToldOfWhatWasNotLetIn) {
    sm.decision.action = sm::Reject{486, {}};
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    pass_time(60 * second);
    EXPECT_THAT(sm.events, IsEmpty());
}

TEST_F(FollowTest, NobodyAnswersIsAnEnd) {
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    from_callee(script.response(180, "INVITE", 1, script.callee_tag));
    pass_time(400 * second);
    EXPECT_THAT(states(), ElementsAre(State::going, State::ended));
    EXPECT_EQ(sm.events.back().cause, "nobody answered");
}

TEST_F(FollowTest, AfterARestartTheCallsThatGoOnAreTold) {
    answer();
    const std::string name = sm.events.front().call;
    now += 10 * second;
    sm.events.clear();
    restart();
    monitor->adopt(now);
    ASSERT_THAT(states(), ElementsAre(State::answered));
    EXPECT_EQ(sm.events[0].call, name);
    EXPECT_NEAR(std::chrono::duration<double>(std::chrono::system_clock::now() - sm.events[0].at).count(), 10,
                5);
    hang_up();
    EXPECT_THAT(states(), ElementsAre(State::answered, State::ended));
}

TEST_F(FollowTest, ACallEndsWhenItsLongestDurationIsOver) {
    sm.decision.max_duration = std::chrono::seconds(30);
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    pass_time(20 * second); // ringing does not count
    from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp()));
    from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack"));
    pass_time(29 * second);
    EXPECT_FALSE(flows.map.empty());
    EXPECT_THAT(states(), ElementsAre(State::going, State::answered));
    pass_time(2 * second);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_THAT(states(), ElementsAre(State::going, State::answered, State::ended));
    EXPECT_EQ(sm.events.back().cause, "it lasted for as long as the Security Manager allows");
    EXPECT_EQ(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")).at(0).how,
              Sent::How::released)
        << "its parties may still hang up";
}

TEST_F(FollowTest, ItsLongestDurationOutlivesStemd) {
    sm.decision.max_duration = std::chrono::seconds(30);
    answer();
    now += 20 * second;
    restart();
    monitor->adopt(now);
    pass_time(9 * second);
    EXPECT_FALSE(flows.map.empty());
    pass_time(2 * second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_F(FollowTest, ItsLongestDurationOutlivesARestartWhileItRings) {
    sm.decision.max_duration = std::chrono::seconds(30);
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    from_callee(script.response(180, "INVITE", 1, script.callee_tag));
    now += 20 * second;
    restart();
    monitor->adopt(now);
    pass_time(20 * second);
    from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp()));
    from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack"));
    pass_time(29 * second);
    EXPECT_FALSE(flows.map.empty()) << "ringing does not count";
    pass_time(2 * second);
    EXPECT_TRUE(flows.map.empty());
}

// One that takes what is written there for the time of the end, whatever the call's state, as stemd once did.
TEST_F(FollowTest, AnOlderStemdLetsACallRingWhoseDurationIsBound) {
    sm.decision.max_duration = std::chrono::seconds(30);
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    from_callee(script.response(180, "INVITE", 1, script.callee_tag));
    ASSERT_EQ(records.map.size(), 1U);
    const std::uint64_t ends_ns = records.map.begin()->second.ends_ns;
    EXPECT_GT(ends_ns, now + 365ULL * 86400 * second);
    EXPECT_GT(static_cast<std::int64_t>(ends_ns), 0) << "it counts on with signed numbers";
    from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp()));
    EXPECT_EQ(records.map.begin()->second.ends_ns, now + 30 * second);
}

TEST_F(FollowTest, WithoutABoundARecordHasNone) {
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    from_callee(script.response(180, "INVITE", 1, script.callee_tag));
    EXPECT_EQ(records.map.begin()->second.ends_ns, 0U);
}

} // namespace
} // namespace stem::call
