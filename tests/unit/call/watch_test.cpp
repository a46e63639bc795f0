// SPDX-License-Identifier: Apache-2.0
// Peers that are only monitored: everything goes on as it came, and what would have been dropped is told.
#include "fakes.h"

namespace stem::call {
namespace {

class WatchTest : public MonitorTest {
  protected:
    WatchTest() {
        settings.monitor_only = true;
        restart();
    }
    static void expect_monitored(const std::vector<Sent>& sent, stem_reason reason) {
        ASSERT_EQ(sent.size(), 1U);
        EXPECT_EQ(sent[0].how, Sent::How::monitored);
        EXPECT_EQ(label(sent[0].reason), label(reason));
    }
};

TEST_F(WatchTest, OffencesPassAndAreTold) {
    expect_monitored(from_caller("INVITE sip:bob@192.0.2.5 SIP/2.0\r\n\r\n"), STEM_SIP_MALFORMED);
    expect_monitored(from_caller(script.request("BYE", 2, "", "nobody")), STEM_SIP_NO_DIALOG);
    expect_released(from_callee(script.response(481, "BYE", 2, "nobody"))); // one offence, and not two
    expect_monitored(from_callee(script.response(200, "INVITE", 1, "x")), STEM_SIP_NO_TRANSACTION);
    establish();
    EXPECT_EQ(flows.map.size(), 4U) << "calls are followed as ever";
    expect_monitored(
        feed(STEM_INBOUND, script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-b"), "192.0.2.66"),
        STEM_SIP_FLOW);
    expect_monitored(from_caller(script.request("INFO", 1, "", script.callee_tag, "z9hG4bK-i")),
                     STEM_SIP_CSEQ);
    EXPECT_EQ(only_state(), "up");
    EXPECT_EQ(monitor->totals().would_drop, 5U);
}

TEST_F(WatchTest, NothingIsHeldAnsweredOrRewritten) {
    const std::string invite = script.request("INVITE", 1, script.caller_sdp());
    sm.late = true;
    auto sent = from_caller(invite);
    expect_released(sent);
    EXPECT_EQ(sent[0].text, invite);
    sm.waiting[0]({.action = sm::Reject{.status = 403, .phrase = {}}, .user = {}, .why = "profile"});
    EXPECT_TRUE(egress.take().empty());
    EXPECT_EQ(egress.noted[STEM_SM_REJECTED], 1);
    pass_time(10 * second);
    EXPECT_TRUE(egress.take().empty()) << "no 100, no 503";
    script.call_id = "forwarded";
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    sm.waiting[1](
        {.action = sm::Forward{.target = "sip:carol@192.0.2.5", .terminals = {}}, .user = {}, .why = ""});
    EXPECT_EQ(egress.noted[STEM_SIP_REWRITTEN], 1);
    script.call_id = "spam";
    from_caller(script.request("INVITE", 1, script.caller_sdp()));
    sm.waiting[2]({.action = sm::Drop{.spam = true}, .user = {}, .why = ""});
    EXPECT_EQ(egress.noted[STEM_SM_SPAM], 1);
    script.call_id = "bad-media";
    expect_monitored(from_caller(script.request("INVITE", 1, script.sdp("127.0.0.1", "10000"))),
                     STEM_MEDIA_ADDRESS);
    EXPECT_EQ(monitor->totals().held, 0U);
}

TEST_F(WatchTest, RetransmissionsAreNoOffence) {
    establish();
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    EXPECT_EQ(monitor->totals().would_drop, 0U);
}

TEST_F(WatchTest, ByPeerOutside) {
    settings.monitor_only = false;
    settings.monitored_peers = {*Cidr::parse("192.0.2.11/32")};
    restart();
    const std::string bye = script.request("BYE", 2, "", "nobody");
    expect_monitored(from_caller(bye), STEM_SIP_NO_DIALOG);
    script.call_id = "other";
    expect_dropped(feed(STEM_INBOUND, script.request("BYE", 2, "", "nobody"), "192.0.2.12"),
                   STEM_SIP_NO_DIALOG);
    expect_monitored(from_callee(script.callee_request("BYE", 2, "z9hG4bK-c")), STEM_SIP_NO_DIALOG);
    expect_dropped(
        feed(STEM_OUTBOUND, script.callee_request("BYE", 2, "z9hG4bK-c"), "192.0.2.5", "192.0.2.12"),
        STEM_SIP_NO_DIALOG);
}

} // namespace
} // namespace stem::call
