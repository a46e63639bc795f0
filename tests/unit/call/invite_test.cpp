// SPDX-License-Identifier: Apache-2.0
// A call begins: held, decided, released, rewritten, refused, dropped, cancelled.
#include "fakes.h"

namespace stem::call {
namespace {

INSTANTIATE_TEST_SUITE_P(Families, MonitorFamilyTest, ::testing::Bool(), family_name);

TEST_P(MonitorFamilyTest, AcceptedInviteGoesOnByteForByte) {
    const std::string invite = script.request("INVITE", 1, script.caller_sdp());
    const auto sent = from_caller(invite);
    expect_released(sent);
    EXPECT_EQ(sent[0].text, invite);
    ASSERT_EQ(sm.queries.size(), 1U);
    EXPECT_EQ(sm.queries[0].caller, "sip:alice@example.org");
    EXPECT_EQ(sm.queries[0].callee, "sip:bob@" + Script::host(script.proxy_ip()));
    EXPECT_EQ(only_state(), "calling");
    EXPECT_TRUE(flows.map.empty()) << "no pinhole before an answer";
}

TEST_P(MonitorFamilyTest, CallOpensAndClosesExactlyItsPinholes) {
    establish();
    EXPECT_EQ(only_state(), "up");
    const auto a = script.caller_ip();
    const auto b = script.callee_ip();
    ASSERT_EQ(flows.map.size(), 4U);
    EXPECT_TRUE(flows.map.contains(key(a, "10000", b, "20000", STEM_INBOUND)));
    EXPECT_TRUE(flows.map.contains(key(b, "20000", a, "10000", STEM_OUTBOUND)));
    EXPECT_TRUE(flows.map.contains(key(a, "10001", b, "20001", STEM_INBOUND)));
    EXPECT_TRUE(flows.map.contains(key(b, "20001", a, "10001", STEM_OUTBOUND)));
    const auto& rtp = flows.map.at(key(a, "10000", b, "20000", STEM_INBOUND));
    EXPECT_EQ(rtp.kind, STEM_FLOW_RTP);
    EXPECT_EQ(rtp.payload_types[0], 0x101U);
    EXPECT_EQ(flows.map.at(key(a, "10001", b, "20001", STEM_INBOUND)).kind, STEM_FLOW_RTCP);
    EXPECT_EQ(records.map.size(), 1U);

    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    EXPECT_EQ(only_state(), "closing");
    EXPECT_EQ(flows.map.size(), 4U) << "media go on until the BYE is answered";
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(second / 2);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_TRUE(records.map.empty());
    EXPECT_EQ(monitor->totals().calls, 0U);
    pass_time(40 * second);
    EXPECT_TRUE(monitor->dialogs().empty());
    EXPECT_EQ(monitor->totals().transactions, 0U);
}

TEST_F(MonitorTest, CalleeMayEndTheCall) {
    establish();
    expect_released(from_callee(script.callee_request("BYE", 1, "z9hG4bK-cb")));
    const auto answer =
        Script::with_body("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=z9hG4bK-cb\r\n"
                          "From: <sip:bob@example.org>;tag=bob-1\r\n"
                          "To: <sip:alice@example.org>;tag=alice-1\r\n"
                          "Call-ID: call-1@test\r\nCSeq: 1 BYE\r\n",
                          "");
    expect_released(from_caller(answer));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_F(MonitorTest, ForwardRewritesOnlyTheRequestLine) {
    sm.decision.action = sm::Forward{.target = "sip:carol@192.0.2.5", .terminals = {}};
    const std::string invite = script.request("INVITE", 1, script.caller_sdp());
    auto sent = from_caller(invite);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].how, Sent::How::rewritten);
    std::string expected = invite;
    expected.replace(expected.find("sip:bob@192.0.2.5"), 17, "sip:carol@192.0.2.5");
    EXPECT_EQ(sent[0].text, expected);
    // A retransmission, CANCEL and the ACK of a failure share its branch, and must name the same target
    // (9.1).
    sent = from_caller(invite);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].text, expected);
    sent = from_caller(script.request("CANCEL", 1));
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].how, Sent::How::rewritten);
    EXPECT_TRUE(sent[0].text.starts_with("CANCEL sip:carol@192.0.2.5 SIP/2.0"));
    expect_released(from_callee(script.response(487, "INVITE", 1, script.callee_tag)));
    sent = from_caller(script.request("ACK", 1, "", script.callee_tag));
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_TRUE(sent[0].text.starts_with("ACK sip:carol@192.0.2.5 SIP/2.0"));
}

TEST_F(MonitorTest, RejectedInviteIsAnsweredAndItsRepetitionsToo) {
    sm.decision.action = sm::Reject{.status = 486, .phrase = {}};
    auto sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].how, Sent::How::replied);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 486 Busy Here\r\n")) << sent[0].text;
    EXPECT_NE(sent[0].text.find(";tag="), std::string::npos);
    EXPECT_EQ(label(sent[1].reason), label(STEM_SM_REJECTED));
    const std::string answer = sent[0].text;
    sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].text, answer);
    EXPECT_EQ(label(sent[1].reason), label(STEM_SIP_ABSORBED));
    expect_dropped(from_caller(script.request("ACK", 1, "", "whatever")), STEM_SIP_ABSORBED);
    EXPECT_EQ(sm.queries.size(), 1U);
    pass_time(40 * second);
    EXPECT_TRUE(monitor->dialogs().empty());
}

TEST_F(MonitorTest, SpamIsDroppedWithoutAWord) {
    sm.decision.action = sm::Drop{.spam = true};
    expect_dropped(from_caller(script.request("INVITE", 1, script.caller_sdp())), STEM_SM_SPAM);
    expect_dropped(from_caller(script.request("INVITE", 1, script.caller_sdp())), STEM_SIP_ABSORBED);
    sm.decision.action = sm::Drop{};
    script.call_id = "other";
    expect_dropped(from_caller(script.request("INVITE", 1, script.caller_sdp())), STEM_SM_DROPPED);
}

TEST_F(MonitorTest, HeldInviteWaitsAndAbsorbsRepetitions) {
    sm.late = true;
    const std::string invite = script.request("INVITE", 1, script.caller_sdp());
    EXPECT_TRUE(from_caller(invite).empty());
    EXPECT_EQ(only_state(), "held");
    expect_dropped(from_caller(invite), STEM_SIP_ABSORBED);
    pass_time(160 * second / 1000);
    auto sent = egress.take();
    ASSERT_EQ(sent.size(), 1U) << "100 Trying after 150 ms (RFC 3261 17.2.1)";
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 100 Trying\r\n"));
    EXPECT_EQ(sent[0].text.find(";tag=stem"), std::string::npos);
    sm.waiting[0](sm.decision);
    sent = egress.take();
    expect_released(sent);
    EXPECT_EQ(sent[0].text, invite);
    EXPECT_EQ(monitor->totals().held, 0U);
    sm.waiting[0](sm.decision); // a link that answers twice changes nothing
    EXPECT_TRUE(egress.take().empty());
}

TEST_F(MonitorTest, CancelWhileHeldIsAnsweredHere) {
    sm.late = true;
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    const auto sent = from_caller(script.request("CANCEL", 1));
    ASSERT_EQ(sent.size(), 4U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 200 OK\r\n"));
    EXPECT_NE(sent[0].text.find("CSeq: 1 CANCEL"), std::string::npos);
    EXPECT_EQ(label(sent[1].reason), label(STEM_SIP_ANSWERED));
    EXPECT_TRUE(sent[2].text.starts_with("SIP/2.0 487 Request Terminated\r\n"));
    EXPECT_NE(sent[2].text.find("CSeq: 1 INVITE"), std::string::npos);
    EXPECT_EQ(label(sent[3].reason), label(STEM_SIP_ANSWERED));
    sm.waiting[0](sm.decision); // too late
    EXPECT_TRUE(egress.take().empty());
    expect_dropped(from_caller(script.request("ACK", 1, "", "x")), STEM_SIP_ABSORBED);
}

TEST_F(MonitorTest, CancelMustNameTheInviteAndComeFromItsSource) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_dropped(from_caller(script.request("CANCEL", 2)), STEM_SIP_STATE);
    expect_dropped(from_caller(script.request("CANCEL", 1, "", "", "z9hG4bK-guess")), STEM_SIP_STATE);
    expect_dropped(feed(STEM_INBOUND, script.request("CANCEL", 1), "192.0.2.66"), STEM_SIP_FLOW);
    auto other = script.request("CANCEL", 1);
    other.replace(other.find("sip:bob@"), 8, "sip:eve@");
    expect_dropped(from_caller(other), STEM_SIP_STATE);
    expect_released(from_caller(script.request("CANCEL", 1)));
    script.call_id = "unknown";
    expect_dropped(from_caller(script.request("CANCEL", 1)), STEM_SIP_NO_TRANSACTION);
}

TEST_F(MonitorTest, NoDecisionInTimeRefuses) {
    sm.late = true;
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    pass_time(6 * second);
    const auto sent = egress.take();
    ASSERT_EQ(sent.size(), 3U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 100 "));
    EXPECT_TRUE(sent[1].text.starts_with("SIP/2.0 503 "));
    EXPECT_EQ(label(sent[2].reason), label(STEM_SM_TIMEOUT));
}

TEST_F(MonitorTest, HeldInvitesAreBounded) {
    settings.max_held = 2;
    restart();
    sm.late = true;
    for (int i = 0; i < 2; i++) {
        script.call_id = "held-" + std::to_string(i);
        EXPECT_TRUE(from_caller(script.request("INVITE", 1, script.caller_sdp())).empty());
    }
    script.call_id = "held-3";
    const auto sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 503 "));
    EXPECT_EQ(label(sent[1].reason), label(STEM_HOLD_LIMIT));
    EXPECT_EQ(monitor->totals().held, 2U);
}

TEST_F(MonitorTest, CallsAreBounded) {
    settings.max_calls = 1;
    restart();
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    script.call_id = "second";
    const auto sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(label(sent[1].reason), label(STEM_CALL_LIMIT));
}

TEST_F(MonitorTest, BadSessionsAreRefusedAtTheDoor) {
    auto sent = from_caller(script.request("INVITE", 1, "v=0\r\nm=audio nonsense\r\n"));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 488 "));
    EXPECT_EQ(label(sent[1].reason), label(STEM_SDP_MALFORMED));
    int n = 0;
    for (const char* address : {"127.0.0.1", "224.1.1.1", "169.254.1.1"}) {
        script.call_id = "bad-" + std::to_string(n++);
        sent = from_caller(script.request("INVITE", 1, script.sdp(address, "10000")));
        ASSERT_EQ(sent.size(), 2U) << address;
        EXPECT_EQ(label(sent[1].reason), label(STEM_MEDIA_ADDRESS)) << address;
    }
    script.call_id = "low-port";
    sent = from_caller(script.request("INVITE", 1, script.sdp("192.0.2.11", "22")));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(label(sent[1].reason), label(STEM_MEDIA_ADDRESS));
    EXPECT_TRUE(sm.queries.empty());
}

TEST_F(MonitorTest, CredentialsAreASecondAttemptOfTheSameCall) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(407, "INVITE", 1, "proxy-1")));
    expect_released(from_caller(script.request("ACK", 1, "", "proxy-1")));
    script.branch = "z9hG4bK-2";
    expect_released(from_caller(script.request("INVITE", 2, script.caller_sdp())));
    expect_released(from_callee(script.response(200, "INVITE", 2, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 2, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(flows.map.size(), 4U);
    EXPECT_EQ(monitor->totals().calls_seen, 1U);
    EXPECT_EQ(sm.queries.size(), 2U);
    pass_time(33 * second); // the first attempt's burial must not take the second one along
    EXPECT_EQ(flows.map.size(), 4U);
    expect_dropped(from_caller(script.request("INVITE", 3, script.caller_sdp(), "", "z9hG4bK-3")),
                   STEM_SIP_STATE);
}

TEST_F(MonitorTest, FailureClosesEarlyMedia) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(183, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_EQ(only_state(), "early");
    EXPECT_EQ(flows.map.size(), 4U);
    expect_released(from_callee(script.response(486, "INVITE", 1, script.callee_tag)));
    EXPECT_TRUE(flows.map.empty());
    EXPECT_TRUE(records.map.empty());
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag)));
}

TEST_F(MonitorTest, NobodyAnswers) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(100, "INVITE", 1, "")));
    pass_time(100 * second);
    expect_released(from_callee(script.response(180, "INVITE", 1, script.callee_tag)));
    pass_time(100 * second); // Timer C was refreshed by the 180
    EXPECT_EQ(only_state(), "early");
    pass_time(100 * second);
    EXPECT_EQ(only_state(), "dead");
    EXPECT_TRUE(records.map.empty());
}

TEST_F(MonitorTest, MalformedSipIsDroppedWithItsReason) {
    expect_dropped(from_caller("INVITE sip:bob@192.0.2.5 SIP/2.0\r\n\r\n"), STEM_SIP_MALFORMED);
    expect_dropped(from_caller("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), STEM_SIP_MALFORMED);
    expect_dropped(from_caller(script.request("INVITE", 1) + std::string(9000, 'x')), STEM_SIP_OVER_LIMIT);
}

TEST_F(MonitorTest, RefusedMethodsAreDropped) {
    settings.refused_methods = {"MESSAGE"};
    restart();
    expect_dropped(from_caller(script.request("MESSAGE", 1)), STEM_SIP_METHOD);
    expect_released(from_caller(script.request("OPTIONS", 1, "", "", "z9hG4bK-o")));
    expect_released(from_caller(script.request("FOO", 1, "", "", "z9hG4bK-f")));
}

// INVITEs from inside ask the Security Manager; what else may begin there is configured.
TEST_F(MonitorTest, OutgoingRequestsOfNoCallMayBeRefused) {
    for (const bool v6 : {false, true}) {
        script.v6 = v6;
        settings.refused_outgoing = {"MESSAGE", "REGISTER"};
        settings.outgoing_hosts = {};
        restart();
        for (const char* tag : {"", "forged"}) {
            expect_dropped(from_callee(script.request("MESSAGE", 1, "", tag, "z9hG4bK-m")), STEM_SIP_METHOD);
        }
        expect_dropped(from_callee(script.request("REGISTER", 1, "", "", "z9hG4bK-r")), STEM_SIP_METHOD);
        expect_released(from_callee(script.request("OPTIONS", 1, "", "", "z9hG4bK-o")));
        expect_released(from_caller(script.request("MESSAGE", 1, "", "", "z9hG4bK-i")));
        settings.outgoing_hosts = {*Cidr::parse(script.proxy_ip())};
        restart();
        expect_released(from_callee(script.request("MESSAGE", 1, "", "", "z9hG4bK-n")));
    }
}

} // namespace
} // namespace stem::call
