// SPDX-License-Identifier: Apache-2.0
// What an attacker may try with messages that are right by themselves, and what must not come of it.
#include "fakes.h"

namespace stem::call {
namespace {

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

class AbuseTest : public MonitorTest {
  protected:
    // Another INVITE in the name of the call that was let in.
    [[nodiscard]] std::string invite_in_its_name(std::string_view what, std::string_view with) const {
        return replaced(script.request("INVITE", 1, script.caller_sdp()), what, with);
    }
    [[nodiscard]] static std::string registration(const std::string& user, int expires = 600) {
        return "REGISTER sip:192.0.2.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-r\r\n"
               "From: <sip:mallory@example.org>;tag=r\r\nTo: <sip:" +
               user +
               "@example.org>\r\nCall-ID: reg\r\nCSeq: 1 REGISTER\r\n"
               "Contact: <sip:mallory@192.0.2.11>\r\nExpires: " +
               std::to_string(expires) + "\r\nContent-Length: 0\r\n\r\n";
    }
    [[nodiscard]] static std::string options(int number) {
        return "OPTIONS sip:192.0.2.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-o" +
               std::to_string(number) +
               "\r\nFrom: <sip:a@example.org>;tag=o\r\nTo: <sip:b@example.org>\r\nCall-ID: o" +
               std::to_string(number) + "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    }
};

// The Security Manager said yes to one call: another that borrows its Call-ID, tag and CSeq is not that call.
TEST_F(AbuseTest, DecisionHoldsForTheInviteThatItWasMadeOf) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_dropped(from_caller(invite_in_its_name("INVITE sip:bob@", "INVITE sip:carol@")), STEM_SIP_STATE);
    expect_dropped(from_caller(invite_in_its_name("<sip:alice@example.org>;tag", "<sip:eve@evil.org>;tag")),
                   STEM_SIP_STATE);
    expect_dropped(from_caller(invite_in_its_name("To: <sip:bob@", "To: <sip:carol@")), STEM_SIP_STATE);
    // Its branch from another port is another transaction (RFC 3261 17.2.3).
    expect_dropped(from_caller(invite_in_its_name(":5060;branch", ":5061;branch")), STEM_SIP_STATE);
    script.branch = "z9hG4bK-other";
    expect_dropped(from_caller(invite_in_its_name("<sip:alice@example.org>;tag", "<sip:eve@evil.org>;tag")),
                   STEM_SIP_STATE);
    EXPECT_EQ(sm.queries.size(), 1U);
    // With a request URI and a branch of its own it is another target of a proxy that forks: asked anew.
    sm.decision.action = sm::Drop{};
    expect_dropped(from_caller(invite_in_its_name("INVITE sip:bob@", "INVITE sip:carol@")), STEM_SM_DROPPED);
    ASSERT_EQ(sm.queries.size(), 2U);
    EXPECT_EQ(sm.queries[1].callee, "sip:carol@192.0.2.5");
}

// A fork of the same call goes where the decision sends the call.
TEST_F(AbuseTest, ForkOfAForwardedCallIsForwardedToo) {
    sm.decision.action = sm::Forward{.target = "sip:carol@192.0.2.5", .terminals = {}};
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    script.branch = "z9hG4bK-fork";
    const auto sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].how, Sent::How::rewritten);
    EXPECT_TRUE(sent[0].text.starts_with("INVITE sip:carol@192.0.2.5 SIP/2.0"));
}

// Two legs of one call come through (a proxy before us forked): one's failure is not the other's.
TEST_F(AbuseTest, OneForksFailureLeavesTheOther) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp(), "", "z9hG4bK-leg2")));
    expect_released(from_callee(script.response(486, "INVITE", 1, "busy", "", "z9hG4bK-leg2")));
    expect_released(from_caller(script.request("ACK", 1, "", "busy", "z9hG4bK-leg2")));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(flows.map.size(), 4U);
}

// A registrar's 200 answers the REGISTER that it saw first, not one that was slipped in under its branch.
TEST_F(AbuseTest, BindingIsTheOneThatTheRegistrarSaw) {
    expect_released(from_caller(registration("mallory")));
    from_caller(registration("bob"));
    from_callee("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-r\r\n"
                "From: <sip:mallory@example.org>;tag=r\r\nTo: <sip:mallory@example.org>;tag=s\r\n"
                "Call-ID: reg\r\nCSeq: 1 REGISTER\r\nContact: <sip:mallory@192.0.2.11>;expires=600\r\n"
                "Content-Length: 0\r\n\r\n");
    ASSERT_EQ(sm.bindings.size(), 1U);
    EXPECT_EQ(sm.bindings[0].address_of_record, "sip:mallory@example.org");
}

// Calls that were refused linger to absorb repetitions. A flood of them must not shut honest callers out.
TEST_F(AbuseTest, RefusedCallsMakeRoomForNewOnes) {
    settings.max_calls = 8;
    restart();
    sm.decision.action = sm::Drop{.spam = true};
    for (int i = 0; i < 50; i++) {
        script.call_id = "flood-" + std::to_string(i);
        expect_dropped(from_caller(script.request("INVITE", 1, script.caller_sdp())), STEM_SM_SPAM);
    }
    EXPECT_LE(monitor->dialogs().size(), 8U);
    sm.decision.action = sm::Accept{};
    script.call_id = "honest";
    establish();
    EXPECT_EQ(flows.map.size(), 4U);
    // Living calls are never pushed out.
    sm.decision.action = sm::Drop{.spam = true};
    for (int i = 0; i < 50; i++) {
        script.call_id = "again-" + std::to_string(i);
        from_caller(script.request("INVITE", 1, script.caller_sdp()));
    }
    EXPECT_EQ(flows.map.size(), 4U);
    script.call_id = "honest";
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
}

TEST_F(AbuseTest, RequestsOutsideCallsLeaveRoomForCalls) {
    settings.max_transactions = 16;
    restart();
    for (int i = 0; i < 50; i++) {
        from_caller(options(i));
    }
    establish();
    EXPECT_EQ(flows.map.size(), 4U);
}

// No room to follow its responses: the caller is told, and nothing of the call stays.
TEST_F(AbuseTest, CallWithoutRoomForItsTransactionIsRefused) {
    settings.max_transactions = 0;
    restart();
    const auto sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 503 "));
    EXPECT_EQ(label(sent[1].reason), label(STEM_CALL_LIMIT));
    pass_time(33 * second);
    EXPECT_TRUE(monitor->dialogs().empty());
}

// A callee that answers a hundred times opens no more media than a call may have forks.
TEST_F(AbuseTest, AnswersOfOneCallAreBounded) {
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    for (int i = 0; i < 100; i++) {
        script.callee_media_port = std::to_string(20000 + 2 * i);
        from_callee(script.response(200, "INVITE", 1, "tag-" + std::to_string(i), script.callee_sdp()));
    }
    EXPECT_LE(flows.map.size(), 64U);
    EXPECT_LE(records.map.size(), 16U);
}

// RFC 3261 13.3.1.4: a 200 is repeated as it was. One that says something else is no new answer.
TEST_F(AbuseTest, RepeatedAnswerMovesNoMedia) {
    establish();
    const auto agreed = flows.map;
    for (int i = 0; i < 10; i++) {
        script.callee_media_port = std::to_string(30000 + 2 * i);
        from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp()));
    }
    EXPECT_EQ(flows.map.size(), agreed.size());
    for (const auto& [flow_key, flow] : agreed) {
        EXPECT_TRUE(flows.map.contains(flow_key));
    }
}

// A callee that asks who says BYE (401, 407) has not ended the call.
TEST_F(AbuseTest, ChallengedByeEndsNothing) {
    establish();
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(407, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    for (int i = 0; i < 5; i++) {
        pass_time(10 * second);
        for (auto& [flow_key, flow] : flows.map) {
            flow.last_seen_ns = now;
        }
    }
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(flows.map.size(), 4U);
}

// However often it asks: one watch over its silence is enough for a call.
TEST_F(AbuseTest, ChallengedByesSetNoWatchEach) {
    establish();
    const auto looks = [&] { // of the watch, over the flows, in two silence intervals
        const unsigned before = flows.gets;
        for (int i = 0; i < 12; i++) {
            for (auto& [flow_key, flow] : flows.map) {
                flow.last_seen_ns = now;
            }
            pass_time(10 * second);
        }
        return flows.gets - before;
    };
    const unsigned usual = looks();
    for (int cseq = 2; cseq < 102; cseq++) {
        const std::string branch = "z9hG4bK-bye" + std::to_string(cseq);
        expect_released(from_caller(script.request("BYE", cseq, "", script.callee_tag, branch)));
        expect_released(from_callee(script.response(407, "BYE", cseq, script.callee_tag, "", branch)));
    }
    EXPECT_LE(looks(), 2 * usual);
    EXPECT_EQ(only_state(), "up");
    pass_time(130 * second); // and the one is still there
    EXPECT_EQ(only_state(), "dead");
}

// Outside caller, inside proxy, outside phone: both legs come this way, and neither party is inside. What the
// caller says of its media must not become a pinhole towards an inside host that it names.
TEST_F(AbuseTest, HairpinOpensNoWayToAnInsideHost) {
    script.caller_media_port = "5070";
    const std::string offer = script.sdp("192.0.2.77", "5070"); // an inside host, in an outsider's words
    expect_released(from_caller(script.request("INVITE", 1, offer)));
    const auto second_leg = [&](std::string text) {
        return replaced(std::move(text), "192.0.2.11:5060;branch=z9hG4bK-1",
                        "192.0.2.5:5060;branch=z9hG4bK-p");
    };
    expect_released(
        feed(STEM_OUTBOUND, second_leg(script.request("INVITE", 1, offer)), "192.0.2.5", "198.51.100.9"));
    const std::string answer = script.sdp("198.51.100.9", "20000");
    expect_released(feed(STEM_INBOUND,
                         second_leg(script.response(200, "INVITE", 1, script.callee_tag, answer)),
                         "198.51.100.9"));
    EXPECT_FALSE(flows.map.contains(key("198.51.100.9", "20000", "192.0.2.77", "5070", STEM_INBOUND)));
    // And the phone's answer, which comes back through the proxy, names no inside host either.
    expect_released(
        from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.sdp("192.0.2.78", "20000"))));
    for (const auto& [flow_key, flow] : flows.map) {
        EXPECT_NE(Address(flow_key.dst), *Address::parse("192.0.2.77")) << int{flow_key.direction};
    }
}

// Nor may it by candidates beside a relay's address, which anybody can write.
class HairpinTest : public MonitorFamilyTest {
  protected:
    [[nodiscard]] std::string at(const std::string& host) const {
        return (script.v6 ? "2001:db8:1::" : "192.0.2.") + host;
    }
    [[nodiscard]] static std::string candidate(const std::string& address, const std::string& port) {
        return "a=candidate:1 1 UDP " + port + " " + address + " " + port + " typ host\r\n";
    }
};
INSTANTIATE_TEST_SUITE_P(Families, HairpinTest, ::testing::Bool(), family_name);

TEST_P(HairpinTest, CandidatesOpenNoWayToAnInsideHost) {
    settings.media_relays = {*Cidr::parse(at(script.v6 ? "200/128" : "200/32"))};
    restart();
    const std::string ice = "a=ice-ufrag:8hhY\r\n";
    const std::string offer = script.sdp(at("200"), "40000",
                                         ice + candidate(at("77"), "5070") + candidate(at("200"), "5068") +
                                             candidate(at("78"), "5066"));
    const std::string outside = script.v6 ? "2001:db8:9::9" : "198.51.100.9";
    const auto second_leg = [&](std::string text) {
        return replaced(std::move(text), Script::host(script.caller_ip()) + ":5060;branch=z9hG4bK-1",
                        Script::host(script.proxy_ip()) + ":5060;branch=z9hG4bK-p");
    };
    expect_released(from_caller(script.request("INVITE", 1, offer)));
    expect_released(
        feed(STEM_OUTBOUND, second_leg(script.request("INVITE", 1, offer)), script.proxy_ip(), outside));
    const std::string answer = script.sdp(outside, "20000", ice + candidate(outside, "20000"));
    expect_released(feed(STEM_INBOUND,
                         second_leg(script.response(200, "INVITE", 1, script.callee_tag, answer)), outside));
    EXPECT_TRUE(flows.map.contains(key(outside, "20000", at("200"), "40000", STEM_INBOUND)));
    EXPECT_TRUE(flows.map.contains(key(outside, "20000", at("200"), "5068", STEM_INBOUND)));
    for (const auto& [flow_key, flow] : flows.map) {
        EXPECT_NE(Address(flow_key.dst), *Address::parse(at("77")));
        EXPECT_NE(Address(flow_key.dst), *Address::parse(at("78")));
    }
}

// The same proxy also rings a phone inside: its answer is its own, and opens media as ever. A relay carries
// the media of both legs.
TEST_F(AbuseTest, HairpinLeavesInsidePhonesAndRelaysAlone) {
    settings.media_relays = {*Cidr::parse("192.0.2.200/32")};
    restart();
    const auto second_leg = [&](std::string text) {
        return replaced(std::move(text), "192.0.2.11:5060;branch=z9hG4bK-1",
                        "192.0.2.5:5060;branch=z9hG4bK-p");
    };
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(feed(STEM_OUTBOUND,
                         second_leg(script.request("INVITE", 1, script.sdp("192.0.2.200", "40000"))),
                         "192.0.2.5", "198.51.100.9"));
    expect_released(
        feed(STEM_INBOUND,
             second_leg(script.response(183, "INVITE", 1, "outside", script.sdp("198.51.100.9", "20000"))),
             "198.51.100.9"));
    EXPECT_EQ(flows.map.size(), 4U) << "between the relay and the phone outside";
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_EQ(flows.map.size(), 8U) << "and between the caller and the phone inside";
}

} // namespace
} // namespace stem::call
