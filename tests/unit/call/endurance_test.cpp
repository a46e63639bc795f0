// SPDX-License-Identifier: Apache-2.0
// Calls that meet bad luck: stemd restarts between two messages, media pause, a BYE comes late.
#include "fakes.h"

namespace stem::call {
namespace {

class EnduranceTest : public MonitorTest {};

// The ACK got lost with the old stemd: the callee repeats its 200, and the caller its ACK.
TEST_F(EnduranceTest, AnswerIsRepeatedAfterARestart) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    const std::string answer = script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp());
    expect_released(from_callee(answer));
    restart();
    monitor->adopt(now);
    expect_released(from_callee(answer));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(flows.map.size(), 4U);
    // The ACK was lost behind us: once more, with the call up.
    restart();
    monitor->adopt(now);
    expect_released(from_callee(answer));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(flows.map.size(), 4U);
}

// The BYE went through, its 200 met no stemd: the BYE is repeated with the CSeq that is known already.
TEST_F(EnduranceTest, ByeIsRepeatedAfterARestart) {
    establish();
    const std::string bye = script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye");
    expect_released(from_caller(bye));
    restart();
    monitor->adopt(now);
    expect_released(from_caller(bye));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_TRUE(records.map.empty());
}

// The INVITE may have been lost with the old stemd. Of what its decision was made is not known any more, so
// it is made anew; a call that rings already has its INVITE.
TEST_F(EnduranceTest, InviteRepeatedAfterARestartIsJudgedAnew) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    restart();
    monitor->adopt(now);
    sm.decision.action = sm::Forward{.target = "sip:carol@192.0.2.5", .terminals = {}};
    const auto sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].how, Sent::How::rewritten);
    EXPECT_EQ(sm.queries.size(), 2U);
    EXPECT_EQ(records.map.size(), 1U);
    expect_released(from_callee(script.response(180, "INVITE", 1, script.callee_tag)));
    restart();
    monitor->adopt(now);
    expect_dropped(from_caller(script.request("INVITE", 1, script.caller_sdp())), STEM_SIP_ABSORBED);
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(flows.map.size(), 4U);
}

// Hold without music: the holder sends nothing and wants nothing (sendonly), and comes back after minutes.
TEST_F(EnduranceTest, SilentHoldIsNoDeadCall) {
    establish();
    expect_released(from_caller(
        script.request("INVITE", 2, script.caller_sdp("a=sendonly\r\n"), script.callee_tag, "z9hG4bK-h")));
    expect_released(from_callee(script.response(200, "INVITE", 2, script.callee_tag,
                                                script.callee_sdp("a=recvonly\r\n"), "z9hG4bK-h")));
    expect_released(from_caller(script.request("ACK", 2, "", script.callee_tag, "z9hG4bK-ha")));
    pass_time(300 * second);
    EXPECT_EQ(only_state(), "up");
    expect_released(
        from_caller(script.request("INVITE", 3, script.caller_sdp(), script.callee_tag, "z9hG4bK-u")));
}

// Nobody said BYE when silence or the operator ended the call: its parties still will.
TEST_F(EnduranceTest, ByeFindsItsWayLongAfterTheMediaWereCut) {
    establish();
    EXPECT_TRUE(monitor->drop(monitor->dialogs()[0].id, now));
    for (int i = 0; i < 20; i++) {
        pass_time(30 * second);
    }
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(40 * second);
    EXPECT_TRUE(monitor->dialogs().empty());
}

} // namespace
} // namespace stem::call
