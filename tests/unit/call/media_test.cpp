// SPDX-License-Identifier: Apache-2.0
// What media may be, all together and one by one: calls that fit the total, streams that were ended.
#include "fakes.h"

namespace stem::call {
namespace {

using MediaTest = MonitorFamilyTest;
INSTANTIATE_TEST_SUITE_P(Families, MediaTest, ::testing::Bool(), family_name);

TEST_P(MediaTest, CallsAreAdmittedAsLongAsTheyFit) {
    flows.kbps = 300; // a call announces 120 kbit/s each way (IPv6: 140)
    for (int n = 1; n <= 2; n++) {
        script.call_id = "call-" + std::to_string(n) + "@test";
        script.callee_media_port = std::to_string(20000 + 10 * n);
        if (n == 1) {
            establish();
        } else { // an offer alone counts: its answer will come
            expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
        }
    }
    script.call_id = "call-3@test";
    const auto sent = from_caller(script.request("INVITE", 1, script.caller_sdp()));
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_EQ(sent[0].how, Sent::How::replied);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 503")) << sent[0].text;
    EXPECT_EQ(label(sent[1].reason), label(STEM_MEDIA_TOTAL));
    EXPECT_EQ(monitor->totals().calls_over_total, 1U);

    // The second fails, and what it had reserved is free again.
    script.call_id = "call-2@test";
    expect_released(from_callee(script.response(486, "INVITE", 1, "busy")));
    script.call_id = "call-4@test";
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    // Without a limit all fit.
    flows.kbps = 0;
    script.call_id = "call-5@test";
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
}

TEST_P(MediaTest, WhatClosesIsNotAnnounced) {
    establish();
    EXPECT_EQ(monitor->totals().announced[STEM_INBOUND], script.v6 ? 17'500U : 15'000U);
    EXPECT_EQ(monitor->totals().announced[STEM_OUTBOUND], script.v6 ? 17'500U : 15'000U);
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(second);
    EXPECT_EQ(monitor->totals().announced[STEM_INBOUND], 0U);
    EXPECT_EQ(monitor->totals().announced[STEM_OUTBOUND], 0U);
}

class StreamEnds : public MonitorFamilyTest {
  protected:
    [[nodiscard]] stem_flow_key stream() const {
        return key(script.caller_ip(), "10000", script.callee_ip(), "20000", STEM_INBOUND);
    }
    void end_stream(bool tell = true) {
        flows.map.at(stream()).state = STEM_STREAM_ENDED;
        stem_notice notice{};
        notice.kind = STEM_NOTICE_ENDED;
        notice.dialog = flows.map.at(stream()).dialog;
        notice.key = stream();
        notice.reason = STEM_FLOW_BYTE_RATE;
        if (tell) {
            monitor->heed(notice, now);
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Families, StreamEnds, ::testing::Bool(), family_name);

TEST_P(StreamEnds, ClosesItsPinholeAndTellsTheSecurityManager) {
    establish();
    end_stream();
    EXPECT_FALSE(flows.map.contains(stream()));
    EXPECT_EQ(flows.map.size(), 3U) << "the way back and RTCP stay";
    EXPECT_EQ(only_state(), "up");
    ASSERT_EQ(sm.ends.size(), 1U);
    EXPECT_EQ(sm.ends[0].cause, "flow_byte_rate");
    EXPECT_EQ(sm.ends[0].source.port, 10000);
    EXPECT_EQ(sm.ends[0].call_id, script.call_id);
    EXPECT_FALSE(sm.ends[0].call_ended);
    EXPECT_EQ(monitor->totals().streams_ended, 1U);
    // Not even a restart opens it again, but what is negotiated anew does.
    restart();
    monitor->adopt(now);
    EXPECT_FALSE(flows.map.contains(stream()));
    expect_released(
        from_caller(script.request("INVITE", 2, script.caller_sdp(), script.callee_tag, "z9hG4bK-re")));
    expect_released(
        from_callee(script.response(200, "INVITE", 2, script.callee_tag, script.callee_sdp(), "z9hG4bK-re")));
    EXPECT_TRUE(flows.map.contains(stream()));
    EXPECT_EQ(flows.map.at(stream()).state, 0);
}

TEST_P(StreamEnds, ABundlesOtherLineDoesNotOpenItAgain) {
    expect_released(from_caller(
        script.request("INVITE", 1, script.bundle(script.caller_ip(), script.caller_media_port))));
    expect_released(from_callee(script.response(
        200, "INVITE", 1, script.callee_tag, script.bundle(script.callee_ip(), script.callee_media_port))));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    ASSERT_EQ(flows.map.size(), 2U);
    end_stream();
    EXPECT_FALSE(flows.map.contains(stream()));
    EXPECT_EQ(flows.map.size(), 1U) << "the way back stays";
    restart();
    monitor->adopt(now);
    EXPECT_FALSE(flows.map.contains(stream()));
}

TEST_P(StreamEnds, MayEndItsCall) {
    settings.end_call_on_excess = true;
    restart();
    establish();
    end_stream();
    EXPECT_TRUE(flows.map.empty());
    EXPECT_EQ(only_state(), "dead");
    ASSERT_EQ(sm.ends.size(), 1U);
    EXPECT_TRUE(sm.ends[0].call_ended);
}

TEST_P(StreamEnds, ALostNoticeIsMadeUpFor) {
    establish();
    end_stream(false);
    monitor->look_around(now);
    EXPECT_FALSE(flows.map.contains(stream()));
    EXPECT_EQ(sm.ends.size(), 1U);
}

TEST_P(StreamEnds, LoweredStreamsGoOn) {
    establish();
    stem_notice notice{};
    notice.kind = STEM_NOTICE_LOWERED;
    notice.dialog = flows.map.at(stream()).dialog;
    notice.key = stream();
    notice.reason = STEM_FLOW_PACKET_RATE;
    flows.map.at(stream()).state = STEM_STREAM_LOWERED;
    flows.map.at(stream()).ns_per_kib *= 4;
    monitor->heed(notice, now);
    EXPECT_EQ(monitor->totals().streams_lowered, 1U);
    EXPECT_TRUE(sm.ends.empty());
    EXPECT_EQ(flows.map.size(), 4U);
}

} // namespace
} // namespace stem::call
