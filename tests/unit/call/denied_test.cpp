// SPDX-License-Identifier: Apache-2.0
// A media flow that somebody denied stays denied, whatever its call negotiates, and without stemd.
#include "fakes.h"

namespace stem::call {
namespace {

class DeniedFlow : public MonitorFamilyTest {
  protected:
    void SetUp() override {
        establish();
        stem_flow& flow = flows.map.at(inbound());
        flow.denied_until_ns = STEM_FOR_EVER;
        flow.denied_by = STEM_DENY_OPERATOR;
        std::string_view("injected").copy(flow.denied_note, sizeof(flow.denied_note) - 1);
    }
    [[nodiscard]] stem_flow_key inbound() const {
        return key(script.caller_ip(), "10000", script.callee_ip(), "20000", STEM_INBOUND);
    }
    [[nodiscard]] stem_flow_key outbound() const {
        return key(script.callee_ip(), "20000", script.caller_ip(), "10000", STEM_OUTBOUND);
    }
    // The caller's re-INVITE and its 200, ACK; `offer` and `answer` are lines of their m= lines.
    void reinvite(int cseq, const std::string& offer, const std::string& answer) {
        const std::string branch = "z9hG4bK-re" + std::to_string(cseq);
        expect_released(
            from_caller(script.request("INVITE", cseq, script.caller_sdp(offer), script.callee_tag, branch)));
        expect_released(from_callee(
            script.response(200, "INVITE", cseq, script.callee_tag, script.callee_sdp(answer), branch)));
        expect_released(from_caller(script.request("ACK", cseq, "", script.callee_tag, branch + "-ack")));
        pass_time(3 * second); // the old media's grace
    }
    void expect_denied() const {
        ASSERT_TRUE(flows.map.contains(inbound()));
        const stem_flow& flow = flows.map.at(inbound());
        EXPECT_EQ(flow.denied_until_ns, STEM_FOR_EVER);
        EXPECT_EQ(flow.denied_by, STEM_DENY_OPERATOR);
        EXPECT_STREQ(flow.denied_note, "injected");
        if (flows.map.contains(outbound())) {
            EXPECT_EQ(flows.map.at(outbound()).denied_until_ns, 0U);
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Families, DeniedFlow, ::testing::Bool(), family_name);

TEST_P(DeniedFlow, StaysSoWhenTheCallNegotiatesAnew) {
    EXPECT_EQ(flows.map.at(inbound()).flags & STEM_FLOW_RTCP_MUX, 0);
    reinvite(2, "a=rtcp-mux\r\n", "a=rtcp-mux\r\n");
    EXPECT_NE(flows.map.at(inbound()).flags & STEM_FLOW_RTCP_MUX, 0) << "it was described anew";
    expect_denied();
}

// The callee holds: what the caller sends is closed meanwhile, and open again after it.
TEST_P(DeniedFlow, StaysSoOverAHold) {
    reinvite(2, "a=inactive\r\n", "a=inactive\r\n");
    ASSERT_FALSE(flows.map.contains(inbound()));
    reinvite(3, "", "");
    expect_denied();
    // And again: it was not forgotten by being put back once.
    reinvite(4, "a=inactive\r\n", "a=inactive\r\n");
    reinvite(5, "", "");
    expect_denied();
}

TEST_P(DeniedFlow, StaysSoOverARestartOfStemd) {
    restart();
    EXPECT_EQ(monitor->adopt(now), 1U);
    expect_denied();
    reinvite(2, "a=rtcp-mux\r\n", "a=rtcp-mux\r\n");
    expect_denied();
}

TEST_P(DeniedFlow, EndsWithItsCall) {
    reinvite(2, "a=inactive\r\n", "a=inactive\r\n");
    expect_released(from_caller(script.request("BYE", 3, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 3, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
    script.call_id = "another";
    establish();
    EXPECT_EQ(flows.map.at(inbound()).denied_until_ns, 0U);
}

} // namespace
} // namespace stem::call
