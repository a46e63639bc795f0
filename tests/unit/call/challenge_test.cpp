// SPDX-License-Identifier: Apache-2.0
// An outgoing INVITE that is asked who sends it (RFC 3261 22.3), over both families: here the script's caller
// is inside.
#include <gmock/gmock.h>

#include "fakes.h"

namespace stem::call {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string sha256 = R"(Digest realm="stem", nonce="n", algorithm=SHA-256, qop="auth")";
const std::string md5 = R"(Digest realm="stem", nonce="n", algorithm=MD5, qop="auth")";
const std::string answer = R"(Digest username="alice", realm="stem", nonce="n", uri="sip:bob", response="r")";

class ChallengeTest : public MonitorFamilyTest {
  protected:
    ChallengeTest() { sm.decision.action = sm::Challenge{.values = {sha256, md5}}; }

    std::vector<Sent> out(const std::string& text, std::uint16_t port = 5060) {
        return feed(STEM_OUTBOUND, text, script.caller_ip(), script.proxy_ip(), port);
    }
    std::vector<Sent> in(const std::string& text) {
        return feed(STEM_INBOUND, text, script.proxy_ip(), script.caller_ip());
    }
    [[nodiscard]] std::string with_answer(std::string invite) const {
        const auto at = invite.find("Content-");
        return invite.insert(at, "Proxy-Authorization: " + answer +
                                     "\r\nproxy-authorization:\r\n  Digest\r\n realm=\"x\"\r\n");
    }
    [[nodiscard]] std::string invite(int cseq, const std::string& branch) const {
        return script.request("INVITE", cseq, script.caller_sdp(), "", branch);
    }
};

INSTANTIATE_TEST_SUITE_P(Families, ChallengeTest, ::testing::Bool(), family_name);

TEST_P(ChallengeTest, IsAnsweredWith407AndDecidedAnew) {
    auto sent = out(invite(1, "z9hG4bK-1"));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].how, Sent::How::replied);
    const std::string asked = sent[0].text;
    EXPECT_TRUE(asked.starts_with("SIP/2.0 407 Proxy Authentication Required\r\n")) << asked;
    EXPECT_THAT(asked,
                HasSubstr("\r\nProxy-Authenticate: " + sha256 + "\r\nProxy-Authenticate: " + md5 + "\r\n"));
    EXPECT_THAT(asked, HasSubstr(";tag=stem-"));
    EXPECT_EQ(label(sent[1].reason), label(STEM_SM_CHALLENGED));
    EXPECT_EQ(monitor->totals().calls_challenged, 1U);
    EXPECT_EQ(monitor->totals().calls_refused, 0U);

    // The same INVITE again gets the same answer, and the ACK goes no further.
    sent = out(invite(1, "z9hG4bK-1"));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].text, asked);
    expect_dropped(out(script.request("ACK", 1, "", "whatever", "z9hG4bK-1")), STEM_SIP_ABSORBED);
    ASSERT_EQ(sm.queries.size(), 1U);
    EXPECT_THAT(sm.queries[0].authorization, IsEmpty());

    sm.decision.action = sm::Accept{};
    const std::string again = with_answer(invite(2, "z9hG4bK-2"));
    sent = out(again);
    expect_released(sent);
    EXPECT_EQ(sent[0].text, again) << "byte for byte";
    ASSERT_EQ(sm.queries.size(), 2U);
    const auto& query = sm.queries[1];
    EXPECT_THAT(query.authorization, ElementsAre(answer, "Digest realm=\"x\""));
    EXPECT_EQ(query.method, "INVITE");
    EXPECT_EQ(query.direction, STEM_OUTBOUND);
    ASSERT_TRUE(query.source);
    EXPECT_EQ(query.source->to_string(), script.caller_ip());
    expect_released(in(script.response(180, "INVITE", 2, script.callee_tag, "", "z9hG4bK-2")));
    expect_released(
        in(script.response(200, "INVITE", 2, script.callee_tag, script.callee_sdp(), "z9hG4bK-2")));
    expect_released(out(script.request("ACK", 2, "", script.callee_tag, "z9hG4bK-3")));
    EXPECT_EQ(only_state(), "up");
}

TEST_P(ChallengeTest, AnAnswerInTheOldTransactionIsNoAnswer) {
    out(invite(1, "z9hG4bK-1"));
    sm.decision.action = sm::Accept{};
    auto sent = out(with_answer(invite(1, "z9hG4bK-1")));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 407 "));
    EXPECT_EQ(sm.queries.size(), 1U);
}

TEST_P(ChallengeTest, AWrongAnswerIsAskedAgain) {
    out(invite(1, "z9hG4bK-1"));
    auto sent = out(with_answer(invite(2, "z9hG4bK-2")));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 407 "));
    EXPECT_THAT(sent[0].text, HasSubstr("CSeq: 2 INVITE"));
    EXPECT_EQ(sm.queries.size(), 2U);
}

TEST_P(ChallengeTest, WithoutAChallengerTheCallIsRefused) {
    sm.decision.action = sm::Challenge{};
    const auto sent = out(invite(1, "z9hG4bK-1"));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 503 "));
    EXPECT_EQ(label(sent[1].reason), label(STEM_SM_REJECTED));
}

TEST_P(ChallengeTest, ALineEndInAChallengeEndsNothing) {
    sm.decision.action = sm::Challenge{.values = {"Digest realm=\"a\r\nEvil: yes\""}};
    const auto sent = out(invite(1, "z9hG4bK-1"));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].text.find("\r\nEvil"), std::string::npos);
}

TEST_P(ChallengeTest, CredentialsWithoutBoundAreNotTold) {
    settings.sip.header_line = 8000;
    settings.sip.headers = 100;
    restart();
    std::string text = invite(1, "z9hG4bK-1");
    std::string more = "Proxy-Authorization: Digest " + std::string(sm::max_authorization, 'a') + "\r\n";
    for (int i = 0; i < 20; ++i) {
        more += "Proxy-Authorization: Digest realm=\"" + std::to_string(i) + "\"\r\n";
    }
    out(text.insert(text.find("Content-"), more));
    ASSERT_EQ(sm.queries.size(), 1U);
    EXPECT_EQ(sm.queries[0].authorization.size(), sm::max_authorizations);
    EXPECT_EQ(sm.queries[0].authorization[0], "Digest realm=\"0\"");
}

TEST_P(ChallengeTest, APeerThatIsOnlyMonitoredIsNotAsked) {
    settings.monitor_only = true;
    restart();
    expect_released(out(invite(1, "z9hG4bK-1")));
    EXPECT_EQ(egress.noted[STEM_SM_CHALLENGED], 1);
}

} // namespace
} // namespace stem::call
