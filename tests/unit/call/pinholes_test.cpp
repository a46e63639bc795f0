// SPDX-License-Identifier: Apache-2.0
// Which pinholes two session descriptions make: directions, fax, ICE, DTLS, bundles, families.
#include <gtest/gtest.h>

#include "ctl/call/media_policy.h"
#include "ctl/call/pinholes.h"
#include "ctl/sdp/bundle.h"

namespace stem::call {
namespace {

constexpr std::uint64_t dialog_id = 7;

// "\n" is CRLF here.
std::vector<stem_media> described(const std::string& lines) {
    std::string body = "v=0\r\n";
    for (const char octet : lines) {
        body += octet == '\n' ? "\r\n" : std::string(1, octet);
    }
    const auto session = sdp::parse(body, {});
    EXPECT_TRUE(session) << session.error().what;
    return session ? media_of(*session) : std::vector<stem_media>{};
}

std::string key_text(const stem_flow_key& key) {
    return std::string(key.direction == STEM_INBOUND ? ">" : "<") + " " +
           Endpoint{.address = Address(key.src), .port = key.sport}.to_string() + " " +
           Endpoint{.address = Address(key.dst), .port = key.dport}.to_string();
}

class Pair : public ::testing::Test {
  protected:
    void agree(const std::string& offer, const std::string& answer) {
        caller = described(offer);
        callee = described(answer);
        sdp::share_bundles(caller, callee);
        flows.clear();
        for (const auto& [key, flow] : flows_between(caller, callee, STEM_INBOUND, dialog_id, 1)) {
            flows[key_text(key)] = flow;
        }
    }
    [[nodiscard]] std::vector<std::string> keys() const {
        std::vector<std::string> all;
        for (const auto& [key, flow] : flows) {
            all.push_back(key);
        }
        return all;
    }
    [[nodiscard]] const stem_flow* in(const std::string& text) const {
        const auto found = flows.find("> " + text);
        return found == flows.end() ? nullptr : &found->second;
    }
    [[nodiscard]] const stem_flow* out(const std::string& text) const {
        const auto found = flows.find("< " + text);
        return found == flows.end() ? nullptr : &found->second;
    }

    std::vector<stem_media> caller;
    std::vector<stem_media> callee;
    std::map<std::string, stem_flow> flows;
};

const std::string a4 = "c=IN IP4 192.0.2.1\n";
const std::string b4 = "c=IN IP4 198.51.100.1\n";

TEST_F(Pair, OddPortsAreExact) {
    agree(a4 + "m=audio 4001 RTP/AVP 0\n", b4 + "m=audio 5003 RTP/AVP 0\na=rtcp:6000\n");
    EXPECT_EQ(keys(), (std::vector<std::string>{
                          "< 198.51.100.1:5003 192.0.2.1:4001", "< 198.51.100.1:6000 192.0.2.1:4002",
                          "> 192.0.2.1:4001 198.51.100.1:5003", "> 192.0.2.1:4002 198.51.100.1:6000"}));
}

TEST_F(Pair, WhoOnlyListensSendsNothing) {
    const std::string rtp_in = "192.0.2.1:4000 198.51.100.1:5000";
    const std::string rtp_out = "198.51.100.1:5000 192.0.2.1:4000";
    const struct {
        const char* offer;
        const char* answer;
        bool to_callee;
        bool to_caller;
    } cases[] = {{"sendrecv", "sendrecv", true, true},
                 {"sendonly", "recvonly", true, false},
                 {"recvonly", "sendonly", false, true},
                 {"sendrecv", "recvonly", true, false},
                 {"inactive", "inactive", false, false}};
    for (const auto& each : cases) {
        agree(a4 + "m=audio 4000 RTP/AVP 0\na=" + each.offer + "\n",
              b4 + "m=audio 5000 RTP/AVP 0\na=" + each.answer + "\n");
        EXPECT_EQ(in(rtp_in) != nullptr, each.to_callee) << each.offer << " " << each.answer;
        EXPECT_EQ(out(rtp_out) != nullptr, each.to_caller) << each.offer << " " << each.answer;
        EXPECT_TRUE(in("192.0.2.1:4001 198.51.100.1:5001")) << "RTCP goes on";
    }
}

TEST_F(Pair, HoldAsItWasBeforeRfc3264) {
    agree("c=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\n", b4 + "m=audio 5000 RTP/AVP 0\n");
    EXPECT_TRUE(flows.empty());
}

TEST_F(Pair, ARefusedLineOpensNothing) {
    agree(a4 + "m=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 96\nm=audio 4004 RTP/AVP 8\n",
          b4 + "m=audio 5000 RTP/AVP 0\nm=video 0 RTP/AVP 96\nm=audio 5004 RTP/AVP 8\n");
    EXPECT_EQ(flows.size(), 8U);
    EXPECT_FALSE(in("192.0.2.1:4002 198.51.100.1:0"));
    EXPECT_EQ(in("192.0.2.1:4004 198.51.100.1:5004")->media_index, 2);
}

TEST_F(Pair, EightLinesHavePinholes) {
    std::string offer = a4;
    std::string answer = b4;
    for (int line = 0; line < 10; line++) {
        offer += "m=audio " + std::to_string(4000 + 2 * line) + " RTP/AVP 0\n";
        answer += "m=audio " + std::to_string(5000 + 2 * line) + " RTP/AVP 0\n";
    }
    agree(offer, answer);
    EXPECT_EQ(flows.size(), STEM_MEDIA_MAX * 4U);
}

TEST_F(Pair, FaxHasItsOwnForm) {
    agree(a4 + "m=audio 0 RTP/AVP 0\nm=image 4000 udptl t38\n",
          b4 + "m=audio 0 RTP/AVP 0\nm=image 5000 udptl t38\n");
    EXPECT_EQ(flows.size(), 2U) << "no RTCP";
    const stem_flow* fax = in("192.0.2.1:4000 198.51.100.1:5000");
    ASSERT_TRUE(fax);
    EXPECT_EQ(fax->kind, STEM_FLOW_UDPTL);
    EXPECT_EQ(fax->max_payload, 600);
    EXPECT_EQ(fax->media_index, 1);
    agree(a4 + "m=image 4000 udptl t38\n", b4 + "m=audio 5000 RTP/AVP 0\n");
    EXPECT_TRUE(flows.empty()) << "an answer of another kind is none";
}

TEST_F(Pair, FamiliesDoNotMix) {
    agree(a4 + "m=audio 4000 RTP/AVP 0\nm=video 4002 RTP/AVP 96\nc=IN IP6 2001:db8::1\n",
          b4 + "m=audio 5000 RTP/AVP 0\nm=video 5002 RTP/AVP 96\nc=IN IP6 2001:db8::2\n");
    EXPECT_EQ(flows.size(), 8U) << "each line has its own";
    EXPECT_TRUE(in("[2001:db8::1]:4002 [2001:db8::2]:5002"));
    agree(a4 + "m=audio 4000 RTP/AVP 0\n", "c=IN IP6 2001:db8::2\nm=audio 5000 RTP/AVP 0\n");
    EXPECT_TRUE(flows.empty());
}

TEST_F(Pair, DtlsComesFirst) {
    const std::string attributes = " UDP/TLS/RTP/SAVPF 0\na=fingerprint:sha-256 00\na=rtcp-mux\n";
    agree(a4 + "m=audio 4000" + attributes, b4 + "m=audio 5000" + attributes);
    EXPECT_EQ(flows.size(), 2U);
    const stem_flow* flow = in("192.0.2.1:4000 198.51.100.1:5000");
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->flags, STEM_FLOW_SRTP | STEM_FLOW_RTCP_MUX | STEM_FLOW_DTLS);
    agree(a4 + "m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n",
          b4 + "m=audio 5000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n");
    EXPECT_EQ(in("192.0.2.1:4000 198.51.100.1:5000")->flags, STEM_FLOW_SRTP);
}

const std::string ice_a = a4 +
                          "a=ice-ufrag:aaaa\nm=audio 4000 RTP/AVP 0\na=rtcp-mux\n"
                          "a=candidate:1 1 UDP 900 192.0.2.1 4000 typ host\n"
                          "a=candidate:2 1 UDP 500 203.0.113.9 61000 typ srflx raddr 192.0.2.1 rport 4000\n"
                          "a=candidate:3 1 UDP 800 2001:db8::1 4000 typ host\n";
const std::string ice_b = b4 + "a=ice-ufrag:bbbb\nm=audio 5000 RTP/AVP 0\na=rtcp-mux\n"
                               "a=candidate:1 1 UDP 900 198.51.100.1 5000 typ host\n"
                               "a=candidate:3 1 UDP 800 2001:db8::2 5000 typ host\n";

TEST_F(Pair, IceHasAPinholeForEachPair) {
    agree(ice_a, ice_b);
    EXPECT_EQ(keys(),
              (std::vector<std::string>{
                  "< 198.51.100.1:5000 192.0.2.1:4000", "< 198.51.100.1:5000 203.0.113.9:61000",
                  "< [2001:db8::2]:5000 [2001:db8::1]:4000", "> 192.0.2.1:4000 198.51.100.1:5000",
                  "> 203.0.113.9:61000 198.51.100.1:5000", "> [2001:db8::1]:4000 [2001:db8::2]:5000"}));
    EXPECT_EQ(in("192.0.2.1:4000 198.51.100.1:5000")->flags, STEM_FLOW_STUN | STEM_FLOW_RTCP_MUX)
        << "what is open without ICE needs no check";
    EXPECT_EQ(in("203.0.113.9:61000 198.51.100.1:5000")->flags,
              STEM_FLOW_STUN | STEM_FLOW_RTCP_MUX | STEM_FLOW_CANDIDATE);
}

TEST_F(Pair, IceTakesTwo) {
    agree(ice_a, b4 + "m=audio 5000 RTP/AVP 0\na=rtcp-mux\n");
    EXPECT_EQ(flows.size(), 2U);
    EXPECT_EQ(in("192.0.2.1:4000 198.51.100.1:5000")->flags, STEM_FLOW_RTCP_MUX);
}

TEST_F(Pair, IceOnHoldGoesOnChecking) {
    agree(ice_a + "a=sendonly\n", ice_b + "a=recvonly\n");
    const stem_flow* back = out("198.51.100.1:5000 203.0.113.9:61000");
    ASSERT_TRUE(back) << "consent is asked for every few seconds (RFC 7675)";
    EXPECT_EQ(back->kind, STEM_FLOW_RTCP);
    EXPECT_EQ(in("203.0.113.9:61000 198.51.100.1:5000")->kind, STEM_FLOW_RTP);
}

TEST_F(Pair, IceWithoutAPlaceHasOnlyPairs) {
    agree("c=IN IP4 0.0.0.0\na=ice-ufrag:aaaa\nm=audio 9 RTP/AVP 0\na=rtcp-mux\n"
          "a=candidate:1 1 UDP 900 192.0.2.1 4000 typ host\n",
          ice_b);
    EXPECT_EQ(keys(), (std::vector<std::string>{"< 198.51.100.1:5000 192.0.2.1:4000",
                                                "> 192.0.2.1:4000 198.51.100.1:5000"}));
    EXPECT_EQ(in("192.0.2.1:4000 198.51.100.1:5000")->kind, STEM_FLOW_RTP) << "0.0.0.0 is no hold here";
}

TEST_F(Pair, RtcpHasCandidatesOfItsOwn) {
    agree(a4 + "a=ice-ufrag:a\nm=audio 4000 RTP/AVP 0\na=candidate:1 1 UDP 9 203.0.113.9 61000 typ srflx\n"
               "a=candidate:1 2 UDP 8 203.0.113.9 61007 typ srflx\n",
          b4 + "a=ice-ufrag:b\nm=audio 5000 RTP/AVP 0\na=candidate:1 1 UDP 9 198.51.100.1 5000 typ host\n"
               "a=candidate:1 2 UDP 8 198.51.100.1 5001 typ host\n");
    const stem_flow* rtcp = in("203.0.113.9:61007 198.51.100.1:5001");
    ASSERT_TRUE(rtcp);
    EXPECT_EQ(rtcp->kind, STEM_FLOW_RTCP);
    EXPECT_EQ(rtcp->flags, STEM_FLOW_STUN | STEM_FLOW_CANDIDATE);
    EXPECT_FALSE(in("203.0.113.9:61000 198.51.100.1:5001"));
}

std::string bundled(const std::string& address, const std::string& audio_port, const std::string& video_port,
                    const std::string& more = "") {
    return address + "a=group:BUNDLE a v\nm=audio " + audio_port +
           " RTP/AVP 0\na=mid:a\na=rtcp-mux\nm=video " + video_port +
           " RTP/AVP 96\na=rtpmap:96 VP8/90000\nb=AS:1000\na=mid:v\na=rtcp-mux\n" + more;
}

TEST_F(Pair, ABundleHasOnePinhole) {
    for (const auto& [offered, answered] : {std::pair("4002", "5000"), std::pair("4000", "5000")}) {
        agree(bundled(a4, "4000", offered), bundled(b4, "5000", answered));
        EXPECT_EQ(keys(), (std::vector<std::string>{"< 198.51.100.1:5000 192.0.2.1:4000",
                                                    "> 192.0.2.1:4000 198.51.100.1:5000"}));
    }
    const stem_flow* flow = in("192.0.2.1:4000 198.51.100.1:5000");
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->payload_types[0], 1U);
    EXPECT_EQ(flow->payload_types[1], 1ULL << 32);
    EXPECT_EQ(flow->max_payload, 1472);
    // Both lines' rates: sound 96 kbit/s, video 1,000, RTCP of each; a quarter more.
    const double bytes = 1024e9 / flow->ns_per_kib;
    EXPECT_NEAR(bytes, (callee[0].bytes_per_second + callee[1].bytes_per_second), bytes / 100);
    // Each type keeps its clock.
    const unsigned audio_slot = flow->clock_of[0] & 3U;
    const unsigned video_slot = flow->clock_of[96 / 4] & 3U;
    EXPECT_EQ(flow->clock_hz[audio_slot], 8000U);
    EXPECT_EQ(flow->clock_hz[video_slot], 90000U);
}

TEST_F(Pair, ABundleMayLeavePortsOut) { // RFC 9143 7.2, and RFC 8843's answer
    agree(bundled(a4, "4000", "0", "a=bundle-only\n"), bundled(b4, "5000", "0", "a=bundle-only\n"));
    EXPECT_EQ(flows.size(), 2U);
    EXPECT_EQ(in("192.0.2.1:4000 198.51.100.1:5000")->payload_types[1], 1ULL << 32);
}

TEST_F(Pair, ABundleThatIsRefusedIsNone) {
    agree(bundled(a4, "4000", "4002"),
          b4 + "m=audio 5000 RTP/AVP 0\na=rtcp-mux\nm=video 5002 RTP/AVP 96\na=rtcp-mux\n");
    EXPECT_EQ(flows.size(), 4U);
    EXPECT_TRUE(in("192.0.2.1:4002 198.51.100.1:5002"));
    agree(bundled(a4, "4000", "0", "a=bundle-only\n"),
          b4 + "m=audio 5000 RTP/AVP 0\na=rtcp-mux\nm=video 0 RTP/AVP 96\n");
    EXPECT_EQ(flows.size(), 2U);
    EXPECT_EQ(in("192.0.2.1:4000 198.51.100.1:5000")->payload_types[1], 0U);
}

} // namespace
} // namespace stem::call
