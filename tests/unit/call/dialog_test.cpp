// SPDX-License-Identifier: Apache-2.0
// Inside a call: what belongs to it passes, what does not is dropped, and media follow offers and answers.
#include "fakes.h"

namespace stem::call {
namespace {

TEST_F(MonitorTest, RequestsOfUnknownDialogsAreDropped) {
    expect_dropped(from_caller(script.request("BYE", 2, "", "nobody")), STEM_SIP_NO_DIALOG);
    expect_dropped(from_caller(script.request("INVITE", 2, script.caller_sdp(), "nobody")),
                   STEM_SIP_NO_DIALOG);
    expect_dropped(from_caller(script.request("ACK", 2, "", "nobody")), STEM_SIP_NO_DIALOG);
    expect_dropped(from_caller(script.request("BYE", 2)), STEM_SIP_NO_DIALOG);
    expect_released(from_caller(script.request("NOTIFY", 2, "", "subscription")));
}

TEST_F(MonitorTest, ResponsesMustAnswerSomething) {
    expect_dropped(from_callee(script.response(200, "INVITE", 1, "x", script.callee_sdp())),
                   STEM_SIP_NO_TRANSACTION);
    expect_released(from_caller(script.request("OPTIONS", 1)));
    expect_released(from_callee(script.response(200, "OPTIONS", 1, "x")));
    expect_dropped(from_callee(script.response(200, "OPTIONS", 2, "x")), STEM_SIP_NO_TRANSACTION);
    expect_dropped(from_caller(script.response(200, "OPTIONS", 1, "x")), STEM_SIP_NO_TRANSACTION);
    pass_time(40 * second);
    expect_dropped(from_callee(script.response(200, "OPTIONS", 1, "x")), STEM_SIP_NO_TRANSACTION);
}

TEST_F(MonitorTest, ByeMustKnowTheDialogAndFollowIt) {
    establish();
    expect_dropped(from_caller(script.request("BYE", 1, "", script.callee_tag, "z9hG4bK-b")), STEM_SIP_CSEQ);
    expect_dropped(from_caller(script.request("BYE", 2, "", "bob-2", "z9hG4bK-b")), STEM_SIP_NO_DIALOG);
    auto stranger = script;
    stranger.caller_tag = "mallory";
    expect_dropped(from_caller(stranger.request("BYE", 2, "", script.callee_tag, "z9hG4bK-b")),
                   STEM_SIP_NO_DIALOG);
    EXPECT_EQ(flows.map.size(), 4U);
    EXPECT_EQ(only_state(), "up");
}

TEST_F(MonitorTest, AckMayShareTheInvitesBranch) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag)));
    EXPECT_EQ(only_state(), "up");
}

TEST_F(MonitorTest, ReinviteMovesMediaMakeBeforeBreak) {
    establish();
    script.caller_media_port = "30000";
    expect_released(
        from_caller(script.request("INVITE", 2, script.caller_sdp(), script.callee_tag, "z9hG4bK-re")));
    EXPECT_EQ(flows.map.size(), 4U) << "an offer alone changes nothing";
    expect_released(
        from_callee(script.response(200, "INVITE", 2, script.callee_tag, script.callee_sdp(), "z9hG4bK-re")));
    EXPECT_EQ(flows.map.size(), 8U) << "the new ones are open, the old ones still are";
    expect_released(from_caller(script.request("ACK", 2, "", script.callee_tag, "z9hG4bK-reack")));
    pass_time(3 * second);
    EXPECT_EQ(flows.map.size(), 4U);
    EXPECT_TRUE(
        flows.map.contains(key(script.caller_ip(), "30000", script.callee_ip(), "20000", STEM_INBOUND)));
}

TEST_F(MonitorTest, FailedReinviteKeepsTheOldMedia) {
    establish();
    const auto before = flows.map.size();
    script.caller_media_port = "30000";
    expect_released(
        from_caller(script.request("INVITE", 2, script.caller_sdp(), script.callee_tag, "z9hG4bK-re")));
    expect_released(from_callee(script.response(488, "INVITE", 2, script.callee_tag, "", "z9hG4bK-re")));
    expect_released(from_caller(script.request("ACK", 2, "", script.callee_tag, "z9hG4bK-re")));
    pass_time(3 * second);
    EXPECT_EQ(flows.map.size(), before);
    EXPECT_TRUE(
        flows.map.contains(key(script.caller_ip(), "10000", script.callee_ip(), "20000", STEM_INBOUND)));
    EXPECT_EQ(only_state(), "up");
}

TEST_F(MonitorTest, HoldClosesTheWayTowardsTheHolder) {
    establish();
    expect_released(from_caller(
        script.request("INVITE", 2, script.caller_sdp("a=sendonly\r\n"), script.callee_tag, "z9hG4bK-re")));
    expect_released(from_callee(script.response(200, "INVITE", 2, script.callee_tag,
                                                script.callee_sdp("a=recvonly\r\n"), "z9hG4bK-re")));
    pass_time(3 * second);
    EXPECT_FALSE(
        flows.map.contains(key(script.callee_ip(), "20000", script.caller_ip(), "10000", STEM_OUTBOUND)));
    EXPECT_TRUE(
        flows.map.contains(key(script.caller_ip(), "10000", script.callee_ip(), "20000", STEM_INBOUND)));
    EXPECT_TRUE(
        flows.map.contains(key(script.callee_ip(), "20001", script.caller_ip(), "10001", STEM_OUTBOUND)))
        << "RTCP goes on while on hold";
}

TEST_F(MonitorTest, OfferInTheAnswerIsAnsweredByTheAck) {
    expect_released(from_caller(script.request("INVITE", 1)));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_TRUE(flows.map.empty());
    expect_released(
        from_caller(script.request("ACK", 1, script.caller_sdp(), script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_F(MonitorTest, ForkedAnswersHaveTheirOwnMedia) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(183, "INVITE", 1, "fork-a", script.callee_sdp())));
    script.callee_media_port = "22000";
    expect_released(from_callee(script.response(183, "INVITE", 1, "fork-b", script.callee_sdp())));
    EXPECT_EQ(monitor->dialogs().size(), 2U);
    EXPECT_EQ(flows.map.size(), 8U);
    expect_released(from_callee(script.response(200, "INVITE", 1, "fork-b", script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", "fork-b", "z9hG4bK-ack")));
    pass_time(33 * second);
    EXPECT_EQ(flows.map.size(), 4U) << "the branch that did not answer is closed";
    EXPECT_TRUE(
        flows.map.contains(key(script.caller_ip(), "10000", script.callee_ip(), "22000", STEM_INBOUND)));
}

TEST_F(MonitorTest, CalleesMediaAreBoundToItsTerminal) {
    sm.decision.action = sm::Accept{.terminals = {*Address::parse("192.0.2.77")}};
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_TRUE(flows.map.empty()) << "media at .50, terminal at .77";
    EXPECT_EQ(egress.counted[STEM_MEDIA_ADDRESS], 1);

    settings.media_relays = {*Cidr::parse("192.0.2.48/29")};
    restart();
    script.call_id = "relayed";
    script.branch = "z9hG4bK-relay";
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_F(MonitorTest, TwoCallsOnTheSamePortsStayApart) {
    establish();
    Script second_call = script;
    second_call.call_id = "call-2@test";
    second_call.branch = "z9hG4bK-21";
    second_call.caller_tag = "alice-2";
    second_call.callee_tag = "bob-2";
    std::swap(script, second_call);
    establish(); // exactly the same five-tuples
    EXPECT_EQ(flows.map.size(), 4U);
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye2")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye2")));
    pass_time(second);
    EXPECT_EQ(flows.map.size(), 4U) << "the first call still talks";
    std::swap(script, second_call);
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye1")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye1")));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_F(MonitorTest, HundredCallsOnOneSignallingPath) {
    const Script first = script;
    for (int i = 0; i < 100; i++) {
        script = first;
        script.call_id = "trunk-" + std::to_string(i);
        script.branch = "z9hG4bK-trunk-" + std::to_string(i);
        script.caller_media_port = std::to_string(10000 + 2 * i);
        script.callee_media_port = std::to_string(20000 + 2 * i);
        establish();
    }
    EXPECT_EQ(flows.map.size(), 400U);
    EXPECT_EQ(monitor->totals().calls, 100U);
    script = first;
    script.call_id = "trunk-50";
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(second);
    EXPECT_EQ(flows.map.size(), 396U);
}

TEST_F(MonitorTest, SilenceEndsACallButNotOneOnHold) {
    establish();
    pass_time(40 * second);
    for (auto& [flow_key, flow] : flows.map) {
        flow.last_seen_ns = now;
    }
    pass_time(40 * second);
    EXPECT_EQ(only_state(), "up");
    pass_time(40 * second);
    EXPECT_EQ(only_state(), "dead");
    EXPECT_TRUE(flows.map.empty());
    EXPECT_EQ(monitor->totals().calls_silent, 1U);

    script.call_id = "on-hold";
    script.branch = "z9hG4bK-hold";
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp("a=inactive\r\n"))));
    expect_released(from_callee(
        script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp("a=inactive\r\n"))));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    pass_time(300 * second);
    EXPECT_EQ(only_state(), "up");
}

TEST_F(MonitorTest, AnswerNeverAcknowledged) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    pass_time(33 * second);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_EQ(only_state(), "dead");
}

TEST_F(MonitorTest, AckOnAnotherPathIsSeenByItsMedia) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    pass_time(10 * second);
    flows.map.begin()->second.last_seen_ns = now;
    pass_time(23 * second);
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_F(MonitorTest, OperatorDropsACall) {
    establish();
    const auto id = monitor->dialogs()[0].id;
    EXPECT_FALSE(monitor->drop(id + 1, now));
    EXPECT_TRUE(monitor->drop(id, now));
    EXPECT_TRUE(flows.map.empty());
    EXPECT_FALSE(monitor->drop(id, now));
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
}

TEST_F(MonitorTest, KernelThatRefusesAPinholeIsCounted) {
    flows.full = true;
    establish();
    EXPECT_EQ(egress.counted[STEM_PINHOLE_LIMIT], 4);
    EXPECT_EQ(monitor->totals().pinholes, 0U);
}

TEST_P(MonitorFamilyTest, CallSurvivesARestart) {
    establish();
    const auto kept = flows.map;
    stem_flow_key orphan = key(script.caller_ip(), "40000", script.callee_ip(), "40002", STEM_INBOUND);
    flows.map[orphan] = {};
    restart();
    EXPECT_EQ(monitor->adopt(now), 1U);
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(flows.map.size(), kept.size()) << "the orphan is gone, the call's pinholes stay";
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_TRUE(records.map.empty());
}

TEST_F(MonitorTest, RingingCallSurvivesARestart) {
    sm.decision.action =
        sm::Forward{.target = "sip:carol@192.0.2.5", .terminals = {*Address::parse("192.0.2.50")}};
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    from_callee(script.response(180, "INVITE", 1, script.callee_tag));
    restart();
    EXPECT_EQ(monitor->adopt(now), 1U);
    EXPECT_EQ(only_state(), "early");
    EXPECT_EQ(monitor->dialogs()[0].target, "sip:carol@192.0.2.5");
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(flows.map.size(), 4U);
    EXPECT_EQ(only_state(), "up");
}

TEST_F(MonitorTest, RegistrationsAreLearnedFromTheir200) {
    const auto registration = [&](const std::string& contact, int cseq) {
        return "REGISTER sip:192.0.2.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-r" +
               std::to_string(cseq) +
               "\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.org>;tag=r\r\nTo: "
               "<sip:alice@example.org>\r\n"
               "Call-ID: reg\r\nCSeq: " +
               std::to_string(cseq) + " REGISTER\r\nContact: " + contact +
               "\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n";
    };
    const auto answer = [&](int status, const std::string& contacts, int cseq) {
        return "SIP/2.0 " + std::to_string(status) +
               " X\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-r" + std::to_string(cseq) +
               "\r\nFrom: <sip:alice@example.org>;tag=r\r\nTo: <sip:alice@example.org>;tag=s\r\nCall-ID: "
               "reg\r\n"
               "CSeq: " +
               std::to_string(cseq) + " REGISTER\r\n" + contacts + "Content-Length: 0\r\n\r\n";
    };
    expect_released(from_caller(registration("<sip:alice@192.0.2.11:5070>", 1)));
    expect_released(from_callee(answer(401, "", 1)));
    EXPECT_TRUE(sm.bindings.empty());
    expect_released(from_caller(registration("<sip:alice@192.0.2.11:5070>;q=0.7", 2)));
    expect_released(from_callee(answer(200, "Contact: <sip:alice@192.0.2.11:5070>;expires=120\r\n", 2)));
    ASSERT_EQ(sm.bindings.size(), 1U);
    EXPECT_EQ(sm.bindings[0].address_of_record, "sip:alice@example.org");
    EXPECT_EQ(sm.bindings[0].address, *Address::parse("192.0.2.11"));
    EXPECT_EQ(sm.bindings[0].lifetime.count(), 120);
    EXPECT_EQ(sm.bindings[0].q.to_string(), "0.7")
        << "as it was asked for, where the registrar says nothing of it";
    expect_released(from_caller(registration("<sip:alice@192.0.2.11:5070>;expires=0", 3)));
    expect_released(from_callee(answer(200, "", 3)));
    ASSERT_EQ(sm.bindings.size(), 2U);
    EXPECT_EQ(sm.bindings[1].lifetime.count(), 0);
    expect_released(from_caller(registration("<sip:alice@192.0.2.11:5070>;q=0.7", 4)));
    expect_released(from_callee(answer(200, "Contact: <sip:alice@192.0.2.11:5070>;expires=60;q=0.2\r\n", 4)));
    ASSERT_EQ(sm.bindings.size(), 3U);
    EXPECT_EQ(sm.bindings[2].q.to_string(), "0.2") << "the registrar's word is the last";
}

} // namespace
} // namespace stem::call
