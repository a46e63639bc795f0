// SPDX-License-Identifier: Apache-2.0
// What comes under the branch, or in the name, of a request that was let through: is it the same once more?
#include "fakes.h"

namespace stem::call {
namespace {

constexpr const char* unreadable = "v=0\r\nm=";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

class RepetitionTest : public MonitorFamilyTest {
  protected:
    [[nodiscard]] std::string stranger() const { return script.v6 ? "2001:db8:66::66" : "198.51.100.66"; }
    [[nodiscard]] std::string loopback() const { return script.v6 ? "::1" : "127.0.0.1"; }
    [[nodiscard]] std::string invite(const std::string& body) const {
        return script.request("INVITE", 1, body);
    }
    [[nodiscard]] std::string leg(const std::string& branch, const std::string& body) const {
        return script.request("INVITE", 1, body, "", branch);
    }
    [[nodiscard]] std::string reinvite(const std::string& body) const {
        return script.request("INVITE", 2, body, script.callee_tag, "z9hG4bK-re");
    }
    [[nodiscard]] std::string other_contact(std::string text) const {
        return replaced(std::move(text), "Contact: <sip:alice@", "Contact: <sip:eve@");
    }
    [[nodiscard]] static std::string other_sent_by(std::string text) {
        return replaced(std::move(text), ":5060;branch", ":5070;branch");
    }
    static void expect_answered(const std::vector<Sent>& sent, std::string_view status, stem_reason reason) {
        ASSERT_EQ(sent.size(), 2U);
        EXPECT_EQ(sent[0].how, Sent::How::replied);
        EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 " + std::string(status))) << sent[0].text;
        EXPECT_EQ(sent[1].how, Sent::How::dropped);
        EXPECT_EQ(label(sent[1].reason), label(reason));
    }
};
INSTANTIATE_TEST_SUITE_P(Families, RepetitionTest, ::testing::Bool(), family_name);

// A fork's leg shares the decision, and not the reading of its session description.
TEST_P(RepetitionTest, EachLegsSessionIsRead) {
    expect_released(from_caller(invite(script.caller_sdp())));
    const std::string bad = leg("z9hG4bK-leg2", unreadable);
    expect_answered(from_caller(bad), "488 ", STEM_SDP_MALFORMED);
    expect_answered(from_caller(bad), "488 ", STEM_SIP_ABSORBED);
    expect_dropped(from_caller(script.request("ACK", 1, "", "stem-1", "z9hG4bK-leg2")), STEM_SIP_ABSORBED);
    expect_answered(from_caller(leg("z9hG4bK-leg3", script.sdp(loopback(), "10000"))), "488 ",
                    STEM_MEDIA_ADDRESS);
    EXPECT_EQ(sm.queries.size(), 1U);
    // The call itself goes on.
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    EXPECT_EQ(flows.map.size(), 4U);
}

// A proxy may anchor the media of each leg at another port of its relay.
TEST_P(RepetitionTest, ALegsAnswerOpensWhatThatLegOffered) {
    expect_released(from_caller(invite(script.caller_sdp())));
    expect_released(from_caller(leg("z9hG4bK-leg2", script.sdp(script.caller_ip(), "12000"))));
    EXPECT_EQ(sm.queries.size(), 1U);
    expect_released(from_callee(
        script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp(), "z9hG4bK-leg2")));
    EXPECT_TRUE(
        flows.map.contains(key(script.caller_ip(), "12000", script.callee_ip(), "20000", STEM_INBOUND)));
    EXPECT_FALSE(
        flows.map.contains(key(script.caller_ip(), "10000", script.callee_ip(), "20000", STEM_INBOUND)));
}

// The Security Manager was told where the first leg came from.
TEST_P(RepetitionTest, ALegFromElsewhereIsDecidedAnew) {
    expect_released(from_caller(invite(script.caller_sdp())));
    sm.decision.action = sm::Drop{};
    expect_dropped(feed(STEM_INBOUND, leg("z9hG4bK-leg2", script.caller_sdp()), stranger()), STEM_SM_DROPPED);
    ASSERT_EQ(sm.queries.size(), 2U);
    EXPECT_EQ(sm.queries[1].source, *Address::parse(stranger()));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_P(RepetitionTest, ALegOfTheSameClusterSharesTheDecision) {
    settings.clusters = {*Cidr::parse(script.v6 ? "2001:db8:1::/64" : "192.0.2.0/24")};
    restart();
    expect_released(from_caller(invite(script.caller_sdp())));
    expect_released(feed(STEM_INBOUND, leg("z9hG4bK-leg2", script.caller_sdp()),
                         script.v6 ? "2001:db8:1::12" : "192.0.2.12"));
    EXPECT_EQ(sm.queries.size(), 1U);
}

TEST_P(RepetitionTest, ARepeatedInviteIsTheSameOnceMore) {
    const std::string first = invite(script.caller_sdp());
    expect_released(from_caller(first));
    expect_dropped(from_caller(invite(unreadable)), STEM_SIP_STATE);
    expect_dropped(from_caller(invite(script.sdp(loopback(), "10000"))), STEM_SIP_STATE);
    expect_dropped(from_caller(invite("")), STEM_SIP_STATE);
    expect_dropped(from_caller(other_contact(first)), STEM_SIP_STATE);
    expect_dropped(from_caller(other_sent_by(first)), STEM_SIP_STATE);
    expect_dropped(feed(STEM_INBOUND, first, stranger()), STEM_SIP_FLOW);
    expect_released(from_caller(first));
    expect_released(feed(STEM_INBOUND, first, script.caller_ip(), "", 40001)); // a new binding of a NAT
    // What a proxy on the way writes for itself may differ.
    expect_released(from_caller(replaced(first, "Max-Forwards: 70", "Max-Forwards: 69")));
}

TEST_P(RepetitionTest, ARepeatedLegIsTheSameOnceMore) {
    expect_released(from_caller(invite(script.caller_sdp())));
    const std::string second_leg = leg("z9hG4bK-leg2", script.caller_sdp());
    expect_released(from_caller(second_leg));
    expect_dropped(from_caller(leg("z9hG4bK-leg2", unreadable)), STEM_SIP_STATE);
    expect_dropped(from_caller(other_sent_by(second_leg)), STEM_SIP_STATE);
    expect_released(from_caller(second_leg));
}

// Each leg is repeated as often as RFC 3261 17.1.1.2 lets its client, whatever the others do.
TEST_P(RepetitionTest, LegsHaveRepetitionsOfTheirOwn) {
    for (const char* branch : {"z9hG4bK-1", "z9hG4bK-leg2", "z9hG4bK-leg3"}) {
        for (int sent = 0; sent < 7; sent++) {
            expect_released(from_caller(leg(branch, script.caller_sdp())));
        }
    }
    for (int sent = 0; sent < 4; sent++) {
        expect_released(from_caller(leg("z9hG4bK-leg2", script.caller_sdp())));
    }
    expect_dropped(from_caller(leg("z9hG4bK-leg2", script.caller_sdp())), STEM_SIP_ABSORBED);
}

TEST_P(RepetitionTest, ARepeatedReinviteIsTheSameOnceMore) {
    establish();
    const std::string first = reinvite(script.caller_sdp());
    expect_released(from_caller(first));
    expect_dropped(from_caller(reinvite(unreadable)), STEM_SIP_STATE);
    expect_dropped(from_caller(reinvite(script.sdp(loopback(), "10000"))), STEM_SIP_STATE);
    expect_dropped(from_caller(other_contact(first)), STEM_SIP_STATE);
    // RFC 3261 17.2.3: with another sent-by it is a request of its own, whatever its branch.
    expect_dropped(from_caller(other_sent_by(first)), STEM_SIP_STATE);
    expect_released(from_caller(first));
}

TEST_P(RepetitionTest, RequestsInsideACallAreRepeatedWithinBounds) {
    establish();
    const std::string info = script.request("INFO", 2, "", script.callee_tag, "z9hG4bK-i");
    // Timer E over 64*T1: ten times, and more often where T2 is short (17.1.2.1).
    for (int sent = 0; sent < 11; sent++) {
        expect_released(from_caller(info));
    }
    std::vector<Sent> last;
    for (int sent = 0; sent < 30; sent++) {
        last = from_caller(info);
    }
    expect_dropped(last, STEM_SIP_ABSORBED);
}

TEST_P(RepetitionTest, ARequestOutsideCallsToo) {
    const std::string first = script.request("OPTIONS", 1, "", "", "z9hG4bK-o");
    expect_released(from_caller(first));
    expect_released(from_caller(first));
    expect_dropped(from_caller(other_contact(first)), STEM_SIP_STATE);
    expect_dropped(from_caller(other_sent_by(first)), STEM_SIP_STATE);
    expect_dropped(feed(STEM_INBOUND, first, stranger()), STEM_SIP_FLOW);
    const std::string notify = script.request("NOTIFY", 1, "", "subscription", "z9hG4bK-n");
    expect_released(from_caller(notify));
    expect_released(from_caller(notify));
    expect_dropped(from_caller(other_contact(notify)), STEM_SIP_STATE);
}

// CANCEL has the INVITE's topmost Via (9.1).
TEST_P(RepetitionTest, CancelHasTheInvitesSentBy) {
    expect_released(from_caller(invite(script.caller_sdp())));
    expect_dropped(from_caller(other_sent_by(script.request("CANCEL", 1))), STEM_SIP_STATE);
    expect_released(from_caller(script.request("CANCEL", 1)));
    // A phone that names the default port in the one alone (18.1.1).
    std::string without_port = script.request("CANCEL", 1);
    without_port.erase(without_port.find(":5060;branch="), 5);
    expect_released(from_caller(without_port));
}

// Peers that are only monitored: all of it goes on, and is told.
TEST_P(RepetitionTest, MonitoredPeersAreOnlyTold) {
    settings.monitor_only = true;
    restart();
    expect_released(from_caller(invite(script.caller_sdp())));
    for (const auto& sent : {from_caller(invite(unreadable)), from_caller(leg("z9hG4bK-leg2", unreadable))}) {
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_EQ(sent[0].how, Sent::How::monitored);
    }
}

// RFC 6026: a 2xx may come again for 64*T1 (timer L of its server), and not later.
TEST_P(RepetitionTest, ARepeatedAnswerPassesFor64T1) {
    establish();
    const std::string ok = script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp());
    const auto talk = [&](std::uint64_t ns) {
        for (auto& [flow_key, flow] : flows.map) {
            flow.last_seen_ns = now;
        }
        pass_time(ns);
    };
    talk(20 * second);
    expect_released(from_callee(ok));
    talk(11 * second);
    expect_released(from_callee(ok));
    talk(2 * second); // 33 s; that it was repeated meanwhile gives it no more time
    expect_dropped(from_callee(ok), STEM_SIP_NO_TRANSACTION);
    EXPECT_EQ(only_state(), "up");
}

} // namespace
} // namespace stem::call
