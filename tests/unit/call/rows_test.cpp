// SPDX-License-Identifier: Apache-2.0
// What a row of docs/calls.md does to media, timers and later messages, valid and violating.
#include "fakes.h"

namespace stem::call {
namespace {

class RowTest : public MonitorTest {
  protected:
    static std::string with(std::string text, const std::string& header) {
        return text.insert(text.find("Content-Length"), header + "\r\n");
    }
    void call_out() { expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp()))); }
    std::vector<Sent> answer(int status, const std::string& tag, const std::string& body = "",
                             const std::string& header = "") {
        const std::string text = script.response(status, "INVITE", 1, tag, body);
        return from_callee(header.empty() ? text : with(text, header));
    }
    std::vector<Sent> ask(const std::string& method, int cseq, const std::string& branch,
                          const std::string& body = "", const std::string& header = "") {
        const std::string text = script.request(method, cseq, body, script.callee_tag, branch);
        return from_caller(header.empty() ? text : with(text, header));
    }
    std::vector<Sent> reply(int status, const std::string& method, int cseq, const std::string& branch,
                            const std::string& body = "", const std::string& header = "") {
        const std::string text = script.response(status, method, cseq, script.callee_tag, body, branch);
        return from_callee(header.empty() ? text : with(text, header));
    }
    // The caller's answer to a request of the callee's.
    [[nodiscard]] std::string answer_to_callee(int status, const std::string& method, int cseq,
                                               const std::string& branch,
                                               const std::string& body = "") const {
        return Script::with_body("SIP/2.0 " + std::to_string(status) +
                                     " X\r\nVia: SIP/2.0/UDP 192.0.2.5:5060;branch=" + branch +
                                     "\r\nFrom: <sip:bob@example.org>;tag=" + script.callee_tag +
                                     "\r\nTo: <sip:alice@example.org>;tag=" + script.caller_tag +
                                     "\r\nCall-ID: " + script.call_id + "\r\nCSeq: " + std::to_string(cseq) +
                                     " " + method + "\r\nContact: <sip:alice@192.0.2.11>\r\n",
                                 body);
    }
    [[nodiscard]] bool caller_sends_from(const std::string& port) const {
        return flows.map.contains(key("192.0.2.11", port, "192.0.2.50", "20000", STEM_INBOUND));
    }
    void talk_for(int seconds, bool both) {
        for (int i = 0; i < seconds; i++) {
            for (auto& [flow_key, flow] : flows.map) {
                if (both || flow_key.direction == STEM_INBOUND) {
                    flow.last_seen_ns = now;
                }
            }
            pass_time(second);
        }
    }
};

// Only where an offer or an answer can be is a body looked into: others go on whatever they carry.
TEST_F(RowTest, BodiesOfOtherMethodsPassUntouched) {
    establish();
    const std::string part = "--b\r\nContent-Type: application/sdp\r\n\r\n" + script.sdp("127.0.0.1", "9");
    const auto in_parts = [&](std::string text) { // without its last boundary
        return text.replace(text.find("application/sdp\r\nContent-Length"), 15, "multipart/mixed;boundary=b");
    };
    int cseq = 2;
    for (const std::string method : {"INFO", "MESSAGE", "NOTIFY", "BYE"}) {
        const std::string branch = "z9hG4bK-" + method;
        expect_released(from_caller(in_parts(script.request(method, cseq, part, script.callee_tag, branch))));
        expect_released(
            from_callee(in_parts(script.response(200, method, cseq, script.callee_tag, part, branch))));
        cseq++;
    }
    script.call_id = "offers@test";
    script.branch = "z9hG4bK-offers";
    establish();
    for (const std::string method : {"INVITE", "UPDATE"}) {
        expect_dropped(from_caller(in_parts(
                           script.request(method, cseq++, part, script.callee_tag, "z9hG4bK-o" + method))),
                       STEM_SDP_MALFORMED);
    }
}

// 16.6, 16.7: a proxy outside rings two phones inside; each leg has its request URI, and its decision.
TEST_F(RowTest, ForkBeforeUsRingsTwoTargets) {
    call_out();
    auto text = script.request("INVITE", 1, script.caller_sdp(), "", "z9hG4bK-two");
    text.replace(text.find("sip:bob@"), 8, "sip:pat@");
    expect_released(from_caller(text));
    ASSERT_EQ(sm.queries.size(), 2U);
    expect_released(answer(180, "bob-1"));
    expect_released(from_callee(script.response(180, "INVITE", 1, "pat-1", "", "z9hG4bK-two")));
    expect_released(
        from_callee(script.response(200, "INVITE", 1, "pat-1", script.callee_sdp(), "z9hG4bK-two")));
    expect_released(from_caller(script.request("ACK", 1, "", "pat-1", "z9hG4bK-pa")));
    expect_released(from_caller(script.request("CANCEL", 1)));
    expect_released(answer(487, "bob-1"));
    expect_released(from_caller(script.request("ACK", 1, "", "bob-1")));
    EXPECT_EQ(flows.map.size(), 4U);
    expect_released(from_caller(script.request("BYE", 2, "", "pat-1", "z9hG4bK-pb")));
    expect_released(from_callee(script.response(200, "BYE", 2, "pat-1", "", "z9hG4bK-pb")));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
    pass_time(40 * second);
    EXPECT_TRUE(monitor->dialogs().empty());
}

// A proxy that tries one target after the other keeps the CSeq; a decision is made of each.
TEST_F(RowTest, NextTargetOfASerialForkIsAskedAnew) {
    call_out();
    expect_released(answer(486, "bob-1"));
    expect_released(from_caller(script.request("ACK", 1, "", "bob-1")));
    sm.decision.action = sm::Drop{};
    auto text = script.request("INVITE", 1, script.caller_sdp(), "", "z9hG4bK-next");
    text.replace(text.find("sip:bob@"), 8, "sip:pat@");
    expect_dropped(from_caller(text), STEM_SM_DROPPED);
    EXPECT_EQ(sm.queries.size(), 2U);
}

TEST_F(RowTest, RedirectionAndSessionTooShortAreNewAttempts) {
    call_out();
    expect_released(answer(302, "bob-1"));
    expect_released(from_caller(script.request("ACK", 1, "", "bob-1")));
    expect_released(from_caller(script.request("INVITE", 2, script.caller_sdp(), "", "z9hG4bK-2")));
    expect_released(from_callee(script.response(422, "INVITE", 2, "bob-1", "", "z9hG4bK-2")));
    expect_released(from_caller(script.request("ACK", 2, "", "bob-1", "z9hG4bK-2")));
    expect_released(from_caller(script.request("INVITE", 3, script.caller_sdp(), "", "z9hG4bK-3")));
    EXPECT_EQ(sm.queries.size(), 3U);
    EXPECT_EQ(only_state(), "calling");
}

TEST_F(RowTest, InviteIsRepeatedAsOftenAsTimersDo) {
    call_out();
    for (int i = 0; i < 10; i++) {
        expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    }
    expect_dropped(from_caller(script.request("INVITE", 1, script.caller_sdp())), STEM_SIP_ABSORBED);
}

TEST_F(RowTest, EarlyMediaNeedATag) {
    call_out();
    expect_released(answer(183, "", script.callee_sdp()));
    EXPECT_TRUE(flows.map.empty());
    expect_released(answer(183, script.callee_tag, script.callee_sdp()));
    EXPECT_EQ(flows.map.size(), 4U);
}

// RFC 3262: each reliable response has its PRACK, once.
TEST_F(RowTest, PrackAcknowledgesWhatWasSent) {
    call_out();
    expect_released(answer(183, script.callee_tag, script.callee_sdp(), "RSeq: 10"));
    expect_dropped(ask("PRACK", 2, "z9hG4bK-p0"), STEM_SIP_STATE);
    expect_dropped(ask("PRACK", 2, "z9hG4bK-p1", "", "RAck: 10 2 INVITE"), STEM_SIP_STATE);
    expect_dropped(ask("PRACK", 2, "z9hG4bK-p1", "", "RAck: 11 1 INVITE"), STEM_SIP_STATE);
    expect_dropped(from_callee(with(script.callee_request("PRACK", 1, "z9hG4bK-pc"), "RAck: 10 1 INVITE")),
                   STEM_SIP_STATE);
    expect_released(ask("PRACK", 2, "z9hG4bK-p2", "", "RAck: 10 1 INVITE"));
    expect_released(ask("PRACK", 2, "z9hG4bK-p2", "", "RAck: 10 1 INVITE")); // repeated
    expect_released(reply(200, "PRACK", 2, "z9hG4bK-p2"));
    expect_dropped(ask("PRACK", 3, "z9hG4bK-p3", "", "RAck: 10 1 INVITE"), STEM_SIP_STATE);
    expect_released(answer(183, script.callee_tag, "", "RSeq: 11"));
    expect_released(ask("PRACK", 3, "z9hG4bK-p4", "", "RAck: 11 1 INVITE"));
}

// RFC 6337 2: the offer in a reliable response, the answer in its PRACK; the 2xx says no more.
TEST_F(RowTest, OfferInAReliableResponseIsAnsweredByItsPrack) {
    expect_released(from_caller(script.request("INVITE", 1)));
    expect_released(answer(183, script.callee_tag, script.callee_sdp())); // unreliable: no offer
    expect_released(answer(183, script.callee_tag, script.callee_sdp(), "RSeq: 1"));
    EXPECT_TRUE(flows.map.empty());
    expect_released(ask("PRACK", 2, "z9hG4bK-p", script.caller_sdp(), "RAck: 1 1 INVITE"));
    EXPECT_EQ(flows.map.size(), 4U);
    expect_released(reply(200, "PRACK", 2, "z9hG4bK-p"));
    script.callee_media_port = "22000";
    expect_released(answer(200, script.callee_tag, script.callee_sdp()));
    expect_released(ask("ACK", 1, "z9hG4bK-ack"));
    EXPECT_TRUE(caller_sends_from("10000"));
    EXPECT_EQ(flows.map.size(), 4U);
}

// 14.1: a re-INVITE that fails changes nothing, whatever was said on the way.
TEST_F(RowTest, FailedReinviteKeepsTheOldMedia) {
    establish();
    script.caller_media_port = "12000";
    expect_released(ask("INVITE", 2, "z9hG4bK-r", script.caller_sdp()));
    expect_released(reply(183, "INVITE", 2, "z9hG4bK-r", script.callee_sdp(), "RSeq: 3"));
    expect_released(reply(488, "INVITE", 2, "z9hG4bK-r"));
    expect_released(ask("ACK", 2, "z9hG4bK-r"));
    pass_time(5 * second);
    EXPECT_TRUE(caller_sends_from("10000"));
    EXPECT_FALSE(caller_sends_from("12000"));
}

TEST_F(RowTest, ReliableAnswerToAReinviteIsInForceWithItsPrack) {
    establish();
    script.caller_media_port = "12000";
    expect_released(ask("INVITE", 2, "z9hG4bK-r", script.caller_sdp()));
    expect_released(reply(183, "INVITE", 2, "z9hG4bK-r", script.callee_sdp(), "RSeq: 3"));
    EXPECT_FALSE(caller_sends_from("12000"));
    expect_released(ask("PRACK", 3, "z9hG4bK-p", "", "RAck: 3 2 INVITE"));
    expect_released(reply(200, "PRACK", 3, "z9hG4bK-p"));
    EXPECT_TRUE(caller_sends_from("12000"));
}

// 14.2: both send one at once, and both are answered 491.
TEST_F(RowTest, CrossingReinvitesChangeNothing) {
    establish();
    const auto before = flows.map.size();
    expect_released(ask("INVITE", 2, "z9hG4bK-r", script.sdp("192.0.2.11", "12000")));
    expect_released(
        from_callee(script.callee_request("INVITE", 1, "z9hG4bK-rc", script.sdp("192.0.2.50", "22000"))));
    expect_released(reply(491, "INVITE", 2, "z9hG4bK-r"));
    expect_released(from_caller(answer_to_callee(491, "INVITE", 1, "z9hG4bK-rc")));
    pass_time(5 * second);
    EXPECT_EQ(flows.map.size(), before);
    EXPECT_TRUE(caller_sends_from("10000"));
}

TEST_F(RowTest, GlareThatIsAcceptedMovesNoMedia) {
    establish();
    expect_released(ask("INVITE", 2, "z9hG4bK-r", script.sdp("192.0.2.11", "12000")));
    expect_released(
        from_callee(script.callee_request("UPDATE", 1, "z9hG4bK-uc", script.sdp("192.0.2.50", "22000"))));
    expect_released(from_caller(answer_to_callee(200, "UPDATE", 1, "z9hG4bK-uc", script.caller_sdp())));
    pass_time(5 * second);
    EXPECT_FALSE(flows.map.contains(key("192.0.2.11", "10000", "192.0.2.50", "22000", STEM_INBOUND)));
    EXPECT_EQ(egress.counted[STEM_SIP_STATE], 1);
    expect_released(reply(200, "INVITE", 2, "z9hG4bK-r", script.callee_sdp()));
    EXPECT_TRUE(caller_sends_from("12000")) << "the first offer stands";
}

TEST_F(RowTest, OnePendingInviteASide) {
    establish();
    expect_released(ask("INVITE", 2, "z9hG4bK-r", script.caller_sdp()));
    expect_dropped(ask("INVITE", 3, "z9hG4bK-r3", script.caller_sdp()), STEM_SIP_STATE);
    expect_released(reply(200, "INVITE", 2, "z9hG4bK-r", script.callee_sdp()));
    expect_released(ask("ACK", 2, "z9hG4bK-ra"));
    expect_released(ask("INVITE", 3, "z9hG4bK-r3", script.caller_sdp()));
}

TEST_F(RowTest, AckHasItsInvitesCseq) {
    establish();
    expect_released(ask("INVITE", 5, "z9hG4bK-r", script.caller_sdp()));
    expect_released(reply(200, "INVITE", 5, "z9hG4bK-r", script.callee_sdp()));
    expect_dropped(ask("ACK", 4, "z9hG4bK-ra"), STEM_SIP_CSEQ);
    expect_released(ask("ACK", 5, "z9hG4bK-ra"));
    expect_released(ask("ACK", 1, "z9hG4bK-ack")); // the first one's, repeated late
}

// 9.1: the 200 was under way already. The caller acknowledges it, and hangs up.
TEST_F(RowTest, CancelCrossesTheAnswer) {
    call_out();
    expect_released(answer(180, script.callee_tag));
    expect_released(from_caller(script.request("CANCEL", 1)));
    expect_released(answer(200, script.callee_tag, script.callee_sdp()));
    expect_released(from_callee(script.response(481, "CANCEL", 1, script.callee_tag)));
    EXPECT_EQ(only_state(), "answered");
    expect_released(ask("ACK", 1, "z9hG4bK-ack"));
    expect_released(ask("BYE", 2, "z9hG4bK-bye"));
    expect_released(reply(200, "BYE", 2, "z9hG4bK-bye"));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
}

// A forking proxy's 487, and then another fork's 200 that crossed the CANCEL.
TEST_F(RowTest, AnswerAfterACancelledFailureIsAcknowledgedWithoutMedia) {
    call_out();
    expect_released(from_caller(script.request("CANCEL", 1)));
    expect_released(answer(487, "bob-1"));
    expect_released(answer(200, "bob-2", script.callee_sdp()));
    EXPECT_TRUE(flows.map.empty());
    expect_released(from_caller(script.request("ACK", 1, "", "bob-2", "z9hG4bK-ack")));
    expect_released(from_caller(script.request("BYE", 2, "", "bob-2", "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, "bob-2", "", "z9hG4bK-bye")));
    pass_time(40 * second);
    EXPECT_TRUE(monitor->dialogs().empty());
}

TEST_F(RowTest, CancelOfAReinviteIsItsSenders) {
    establish();
    expect_released(from_callee(script.callee_request("INVITE", 1, "z9hG4bK-rc", script.callee_sdp())));
    const auto cancel = script.callee_request("CANCEL", 1, "z9hG4bK-rc");
    expect_dropped(feed(STEM_OUTBOUND, cancel, "192.0.2.99"), STEM_SIP_FLOW);
    expect_released(from_callee(cancel));
    expect_released(from_caller(answer_to_callee(200, "CANCEL", 1, "z9hG4bK-rc")));
    expect_released(from_caller(answer_to_callee(487, "INVITE", 1, "z9hG4bK-rc")));
    EXPECT_EQ(only_state(), "up");
}

// 15.1.1: a caller may give up an early dialog by BYE; its INVITE is then answered 487.
TEST_F(RowTest, ByeBeforeTheAnswer) {
    call_out();
    expect_released(answer(183, script.callee_tag, script.callee_sdp()));
    expect_dropped(from_callee(script.callee_request("BYE", 1, "z9hG4bK-cb")), STEM_SIP_STATE);
    expect_released(ask("BYE", 2, "z9hG4bK-bye"));
    expect_released(reply(200, "BYE", 2, "z9hG4bK-bye"));
    expect_released(answer(487, script.callee_tag));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag)));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_F(RowTest, CalleesByeBeforeTheAckIsCounted) {
    call_out();
    expect_released(answer(200, script.callee_tag, script.callee_sdp()));
    expect_released(from_callee(script.callee_request("BYE", 1, "z9hG4bK-cb")));
    EXPECT_EQ(monitor->totals().byes_early, 1U);
    EXPECT_EQ(only_state(), "closing");
}

TEST_F(RowTest, BothHangUpAtOnce) {
    establish();
    expect_released(ask("BYE", 2, "z9hG4bK-b1"));
    expect_released(from_callee(script.callee_request("BYE", 1, "z9hG4bK-b2")));
    expect_released(from_caller(answer_to_callee(200, "BYE", 1, "z9hG4bK-b2")));
    expect_released(reply(200, "BYE", 2, "z9hG4bK-b1"));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
}

TEST_F(RowTest, SecondAnswerOfAForkIsACallOfItsOwn) {
    call_out();
    expect_released(answer(200, "bob-1", script.callee_sdp()));
    script.callee_media_port = "22000";
    expect_released(answer(200, "bob-2", script.callee_sdp()));
    EXPECT_EQ(flows.map.size(), 8U);
    for (const char* tag : {"bob-1", "bob-2"}) {
        expect_released(from_caller(script.request("ACK", 1, "", tag, std::string("z9hG4bK-a") + tag)));
    }
    expect_released(from_caller(script.request("BYE", 2, "", "bob-2", "z9hG4bK-b")));
    expect_released(from_callee(script.response(200, "BYE", 2, "bob-2", "", "z9hG4bK-b")));
    pass_time(second);
    EXPECT_EQ(flows.map.size(), 4U);
}

// Timer B: nobody behind us has even heard of it.
TEST_F(RowTest, CallThatNobodyHearsOfEndsAfter32Seconds) {
    call_out();
    pass_time(31 * second);
    EXPECT_EQ(only_state(), "calling");
    pass_time(2 * second);
    EXPECT_EQ(only_state(), "dead");
    EXPECT_TRUE(records.map.empty());
}

// RFC 3261 16.7: 100 does not begin Timer C anew.
TEST_F(RowTest, TryingKeepsNoCallRinging) {
    call_out();
    for (int i = 0; i < 20; i++) {
        expect_released(answer(100, ""));
        pass_time(10 * second);
    }
    EXPECT_NE(only_state(), "calling");
}

TEST_F(RowTest, SessionThatNobodyRefreshesExpires) {
    call_out();
    expect_released(
        answer(200, script.callee_tag, script.callee_sdp(), "Session-Expires: 120;refresher=uac"));
    expect_released(ask("ACK", 1, "z9hG4bK-ack"));
    talk_for(140, false);
    EXPECT_EQ(only_state(), "up") << "120 s, and 32 for the BYE";
    talk_for(15, false);
    EXPECT_TRUE(flows.map.empty()) << "one side sends still: the other is gone";
    EXPECT_EQ(monitor->totals().calls_expired, 1U);
    expect_released(ask("BYE", 2, "z9hG4bK-bye"));
}

TEST_F(RowTest, SessionIsRefreshedByUpdateAndReinvite) {
    call_out();
    expect_released(answer(200, script.callee_tag, script.callee_sdp(), "Session-Expires: 90"));
    expect_released(ask("ACK", 1, "z9hG4bK-ack"));
    for (int i = 0; i < 4; i++) {
        talk_for(60, false);
        const std::string branch = "z9hG4bK-u" + std::to_string(i);
        const std::string method = i % 2 == 0 ? "UPDATE" : "INVITE";
        expect_released(ask(method, 2 + i, branch));
        expect_released(reply(200, method, 2 + i, branch, "", i == 3 ? "" : "Session-Expires: 90"));
        if (method == "INVITE") {
            expect_released(ask("ACK", 2 + i, branch + "a"));
        }
    }
    talk_for(200, false); // the last one said no more of a session timer: there is none
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(monitor->totals().calls_expired, 0U);
}

// The refresh may take another way; sides that both talk are both there.
TEST_F(RowTest, ExpiredSessionInWhichBothTalkGoesOn) {
    call_out();
    expect_released(answer(200, script.callee_tag, script.callee_sdp(), "Session-Expires: 90"));
    expect_released(ask("ACK", 1, "z9hG4bK-ack"));
    talk_for(300, true);
    EXPECT_EQ(only_state(), "up");
    talk_for(45, false);
    EXPECT_EQ(only_state(), "dead");
}

TEST_F(RowTest, ReferIsRecordedAndReplacesIsTiedToItsDialog) {
    establish();
    const auto replaced = monitor->dialogs()[0].id;
    expect_released(ask("REFER", 2, "z9hG4bK-ref", "", "Refer-To: <sip:carol@192.0.2.5?Replaces=x>"));
    EXPECT_EQ(monitor->dialogs()[0].refer_to, "sip:carol@192.0.2.5?Replaces=x");
    expect_released(from_callee(script.callee_request("NOTIFY", 1, "z9hG4bK-n")));
    const Script first = script;
    script.call_id = "transferred";
    script.branch = "z9hG4bK-t";
    script.caller_tag = "carol-1";
    const auto invite = script.request("INVITE", 1, script.caller_sdp());
    expect_released(from_caller(with(invite, "Replaces: " + first.call_id + ";to-tag=" + first.callee_tag +
                                                 ";from-tag=" + first.caller_tag)));
    std::uint64_t names = 0;
    for (const auto& dialog : monitor->dialogs()) {
        names = dialog.call_id == "transferred" ? dialog.replaces : names;
    }
    EXPECT_EQ(names, replaced);
    script.call_id = "unknown";
    expect_dropped(from_caller(with(script.request("OPTIONS", 1), "Replaces: x;to-tag=1;from-tag=2")),
                   STEM_SIP_MALFORMED);
    expect_dropped(from_caller(with(script.request("INVITE", 1), "Replaces: x;to-tag=1")),
                   STEM_SIP_MALFORMED);
}

// The ACK went another way: the caller's media and its next request show that it has the answer.
TEST_F(RowTest, ReinviteAfterAnAckThatWentAnotherWay) {
    call_out();
    expect_released(answer(200, script.callee_tag, script.callee_sdp()));
    expect_dropped(ask("INVITE", 2, "z9hG4bK-r", script.caller_sdp()), STEM_SIP_STATE);
    pass_time(second);
    for (auto& [flow_key, flow] : flows.map) {
        flow.last_seen_ns = now;
    }
    expect_released(ask("INVITE", 2, "z9hG4bK-r", script.caller_sdp()));
    EXPECT_EQ(only_state(), "up");
}

TEST_F(RowTest, FinalResponsesThatContradictEachOther) {
    call_out();
    expect_released(answer(486, "bob-1"));
    expect_released(answer(486, "bob-1"));
    expect_dropped(answer(603, "bob-1"), STEM_SIP_STATE);
    expect_dropped(answer(200, "bob-1", script.callee_sdp()), STEM_SIP_STATE);
    EXPECT_TRUE(flows.map.empty());
}

} // namespace
} // namespace stem::call
