// SPDX-License-Identifier: Apache-2.0
// Where media may be, and what is cut because nobody answers it.
#include "fakes.h"

namespace stem::call {
namespace {

class MediaPolicy : public MonitorFamilyTest {
  protected:
    void expect_refused(const std::string& body) {
        const auto sent = from_caller(script.request("INVITE", 1, body));
        ASSERT_EQ(sent.size(), 2U);
        EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 488")) << sent[0].text;
        EXPECT_EQ(label(sent[1].reason), label(STEM_MEDIA_ADDRESS));
    }
    [[nodiscard]] std::string elsewhere() const { return script.v6 ? "2001:db8:9::9" : "203.0.113.9"; }
};
INSTANTIATE_TEST_SUITE_P(Families, MediaPolicy, ::testing::Bool(), family_name);

TEST_P(MediaPolicy, NobodysAddressesAreRefused) {
    for (const char* address :
         script.v6 ? std::vector<const char*>{"::1", "ff02::1", "fe80::1"}
                   : std::vector<const char*>{"127.0.0.1", "224.0.0.1", "169.254.1.1", "255.255.255.255"}) {
        script.call_id = std::string("to-") + address;
        expect_refused(script.sdp(address, "10000"));
    }
    EXPECT_TRUE(flows.map.empty());
}

TEST_P(MediaPolicy, LowPortsAreRefused) {
    expect_refused(script.sdp(script.caller_ip(), "1023"));
    script.call_id = "rtcp@test";
    expect_refused(script.caller_sdp("a=rtcp:53\r\n"));
}

// What a browser writes before it has a candidate for RTCP (RFC 8829 5.2.1).
TEST_P(MediaPolicy, RtcpThatHasNoPlaceYetIsNoLowPort) {
    const std::string nowhere = script.v6 ? "a=rtcp:9 IN IP6 ::\r\n" : "a=rtcp:9 IN IP4 0.0.0.0\r\n";
    int number = 0;
    for (const std::string& more :
         {nowhere + "a=rtcp-mux\r\n", nowhere, std::string("a=rtcp:9\r\na=rtcp-mux\r\n")}) {
        script.call_id = "jsep-" + std::to_string(number++);
        script.branch = "z9hG4bK-" + script.call_id;
        script.caller_media_port = std::to_string(54320 + number);
        std::string body = script.caller_sdp(more);
        body.replace(body.find("RTP/AVP 0 8"), 11, "UDP/TLS/RTP/SAVPF 0");
        expect_released(from_caller(script.request("INVITE", 1, body)));
        // The other side does not want to share a port: no pinhole leads to the low one.
        std::string answer = script.callee_sdp();
        answer.replace(answer.find("RTP/AVP 0 8"), 11, "UDP/TLS/RTP/SAVPF 0");
        expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, answer)));
        EXPECT_TRUE(flows.map.contains(
            key(script.caller_ip(), script.caller_media_port, script.callee_ip(), "20000", STEM_INBOUND)));
        for (const auto& [flow_key, flow] : flows.map) {
            EXPECT_GE(flow_key.sport, 1024) << more;
            EXPECT_GE(flow_key.dport, 1024) << more;
        }
    }
}

TEST_P(MediaPolicy, FaxIsBoundByTheSameRules) {
    expect_refused("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN " +
                   std::string(script.v6 ? "IP6 ::1" : "IP4 127.0.0.1") +
                   "\r\nt=0 0\r\nm=image 10000 udptl t38\r\n");
}

TEST_P(MediaPolicy, TheFirewallItselfHasNoMedia) {
    settings.is_own = [own = *Address::parse(elsewhere())](const Address& address) { return address == own; };
    restart();
    expect_refused(script.sdp(elsewhere(), "10000"));
    // But for a relay that runs on it.
    settings.media_relays = {*Cidr::parse(elsewhere())};
    restart();
    script.call_id = "relayed@test";
    expect_released(from_caller(script.request("INVITE", 1, script.sdp(elsewhere(), "10000"))));
}

TEST_P(MediaPolicy, ForbiddenNetworksAreForbidden) {
    settings.forbidden_media = {*Cidr::parse(script.v6 ? "2001:db8:9::/48" : "203.0.113.0/24")};
    restart();
    expect_refused(script.sdp(elsewhere(), "10000"));
}

TEST_P(MediaPolicy, ElsewhereIsAMatterOfPolicy) {
    expect_released(from_caller(script.request("INVITE", 1, script.sdp(elsewhere(), "10000"))));
    settings.elsewhere = Elsewhere::refuse;
    restart();
    script.call_id = "elsewhere@test";
    expect_refused(script.sdp(elsewhere(), "10000"));
    script.call_id = "here@test";
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    script.call_id = "nat@test"; // learned, and only from where the signalling comes from
    expect_released(
        from_caller(script.request("INVITE", 1, script.sdp(script.v6 ? "fd00::5" : "192.168.1.5", "10000"))));
    settings.media_relays = {*Cidr::parse(elsewhere())};
    restart();
    script.call_id = "relay@test";
    expect_released(from_caller(script.request("INVITE", 1, script.sdp(elsewhere(), "10000"))));
}

// A private address is learned only of a peer that signals from a public one, and candidates never are.
TEST_P(MediaPolicy, ElsewhereHoldsForPrivateAddressesThatNobodyLearns) {
    settings.elsewhere = Elsewhere::refuse;
    restart();
    const std::string near = script.v6 ? "fd00::11" : "10.0.0.11";
    const std::string far = script.v6 ? "fd00::5" : "10.0.0.5";
    const auto sent = feed(STEM_INBOUND, script.request("INVITE", 1, script.sdp(far, "10000")), near);
    ASSERT_EQ(sent.size(), 2U);
    EXPECT_TRUE(sent[0].text.starts_with("SIP/2.0 488")) << sent[0].text;
    EXPECT_EQ(label(sent[1].reason), label(STEM_MEDIA_ADDRESS));
    for (const auto nat : {Nat::automatic, Nat::always}) {
        settings.nat = nat;
        restart();
        flows.map.clear();
        script.call_id = "candidates-" + std::to_string(static_cast<int>(nat));
        const std::string ice = "a=ice-ufrag:8hhY\r\na=candidate:1 1 UDP 90 ";
        expect_released(from_caller(
            script.request("INVITE", 1,
                           script.caller_sdp(ice + far + " 61000 typ host\r\na=candidate:2 1 UDP 80 " +
                                             script.caller_ip() + " 61002 typ srflx\r\n"))));
        expect_released(from_callee(
            script.response(200, "INVITE", 1, script.callee_tag,
                            script.callee_sdp(ice + script.callee_ip() + " 20000 typ host\r\n"))));
        EXPECT_FALSE(flows.map.contains(key(far, "61000", script.callee_ip(), "20000", STEM_INBOUND)));
        EXPECT_TRUE(
            flows.map.contains(key(script.caller_ip(), "61002", script.callee_ip(), "20000", STEM_INBOUND)));
    }
}

TEST_P(MediaPolicy, CandidatesOfNoHostAreLeftOut) {
    const auto ice = [](const std::string& good, const std::string& port) {
        return "a=ice-ufrag:8hhY\r\na=candidate:1 1 UDP 90 " + good + " " + port +
               " typ host\r\na=candidate:2 1 UDP 80 127.0.0.1 9000 typ host\r\n"
               "a=candidate:3 1 UDP 70 fe80::1 9000 typ host\r\na=candidate:4 1 UDP 60 " +
               good + " 53 typ host\r\n";
    };
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp(ice(elsewhere(), "61000")))));
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag,
                                                script.callee_sdp(ice(script.callee_ip(), "20000")))));
    EXPECT_TRUE(flows.map.contains(key(elsewhere(), "61000", script.callee_ip(), "20000", STEM_INBOUND)));
    EXPECT_EQ(flows.map.size(), 6U) << "the call's own four, and one pair";
    // Their restart finds them again.
    const auto before = flows.map.size();
    restart();
    monitor->adopt(now);
    EXPECT_EQ(flows.map.size(), before);
}

class Unanswered : public MonitorFamilyTest {
  protected:
    [[nodiscard]] stem_flow_key to_callee() const {
        return key(script.caller_ip(), "10000", script.callee_ip(), "20000", STEM_INBOUND);
    }
    [[nodiscard]] stem_flow_key to_caller() const {
        return key(script.callee_ip(), "20000", script.caller_ip(), "10000", STEM_OUTBOUND);
    }
    [[nodiscard]] stem_flow_key rtcp_to_caller() const {
        return key(script.callee_ip(), "20001", script.caller_ip(), "10001", STEM_OUTBOUND);
    }
    void establish_bundle(const std::string& caller_video = "", const std::string& callee_video = "") {
        expect_released(from_caller(script.request(
            "INVITE", 1, script.bundle(script.caller_ip(), script.caller_media_port, "", caller_video))));
        expect_released(from_callee(
            script.response(200, "INVITE", 1, script.callee_tag,
                            script.bundle(script.callee_ip(), script.callee_media_port, "", callee_video))));
        expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    }
    void send(const stem_flow_key& key, std::uint64_t packets = 50) {
        flows.map.at(key).packets += packets;
        flows.map.at(key).last_seen_ns = now;
    }
};
INSTANTIATE_TEST_SUITE_P(Families, Unanswered, ::testing::Bool(), family_name);

TEST_P(Unanswered, MediaAreCutAndComeBack) {
    establish();
    send(to_callee(), 900);
    pass_time(19 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
    pass_time(2 * second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
    EXPECT_TRUE(flows.map.contains(to_caller())) << "who was silent may still speak";
    EXPECT_EQ(egress.counted[STEM_MEDIA_UNANSWERED], 1);
    EXPECT_EQ(only_state(), "up");
    // Neither a restart nor a session refresh opens it.
    restart();
    monitor->adopt(now);
    EXPECT_FALSE(flows.map.contains(to_callee()));
    // He speaks.
    send(to_caller(), 1);
    pass_time(21 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
}

TEST_P(Unanswered, ABundleIsCutAndComesBackAsOne) {
    establish_bundle();
    ASSERT_EQ(flows.map.size(), 2U);
    send(to_callee(), 900);
    pass_time(21 * second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
    EXPECT_EQ(egress.counted[STEM_MEDIA_UNANSWERED], 1);
    pass_time(5 * second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
    EXPECT_EQ(egress.counted[STEM_MEDIA_UNANSWERED], 1) << "once, not each second";
    send(to_caller(), 1);
    pass_time(2 * second);
    ASSERT_TRUE(flows.map.contains(to_callee()));
    EXPECT_EQ(flows.map.at(to_callee()).payload_types[0], 0x101U);
    EXPECT_EQ(flows.map.at(to_callee()).payload_types[1], std::uint64_t{1} << (96 - 64)) << "pictures, too";
    for (const auto& [id, record] : records.map) {
        for (const auto& line : record.media[STEM_CALLEE]) {
            EXPECT_EQ(line.flags & STEM_MEDIA_CUT, 0);
        }
    }
}

TEST_P(Unanswered, AOneWayLineOfABundleDoesNotOpenItAgain) {
    establish_bundle("a=sendonly\r\n", "a=recvonly\r\n");
    send(to_callee(), 900);
    pass_time(21 * second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
    pass_time(5 * second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
    EXPECT_EQ(egress.counted[STEM_MEDIA_UNANSWERED], 1);
}

TEST_P(Unanswered, OneReportIsAnAnswer) {
    establish();
    send(to_callee(), 900);
    send(rtcp_to_caller(), 1);
    pass_time(30 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
    EXPECT_EQ(egress.counted[STEM_MEDIA_UNANSWERED], 0);
}

TEST_P(Unanswered, OneWayByAttributeIsLeftAlone) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp("a=sendonly\r\n"))));
    expect_released(from_callee(
        script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp("a=recvonly\r\n"))));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    send(to_callee(), 900);
    pass_time(59 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
}

TEST_P(Unanswered, NobodySpeaksIsNoAttack) {
    establish();
    pass_time(30 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
}

TEST_P(Unanswered, RingingIsLeftAlone) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(from_callee(script.response(183, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    send(to_caller(), 5000);
    for (int seconds = 0; seconds < 50; seconds++) {
        pass_time(second);
    }
    EXPECT_TRUE(flows.map.contains(to_caller())) << "an announcement, to a caller who listens";
    // Answered: from then on the time counts.
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    pass_time(19 * second);
    EXPECT_TRUE(flows.map.contains(to_caller()));
    pass_time(second);
    EXPECT_FALSE(flows.map.contains(to_caller()));
}

TEST_P(Unanswered, TheTimeOfACallThatRangOverARestartIsNoLonger) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    restart();
    monitor->adopt(now);
    pass_time(4 * second);
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    send(to_callee(), 900);
    pass_time(19 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
    pass_time(second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
}

TEST_P(Unanswered, ARestartDoesNotPutItOff) {
    establish();
    send(to_callee(), 900);
    pass_time(15 * second);
    restart();
    monitor->adopt(now);
    pass_time(4 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
    pass_time(second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
}

TEST_P(Unanswered, RefreshesDoNotPutItOff) {
    establish();
    for (int cseq = 2; cseq <= 4; cseq++) {
        send(to_callee(), 300);
        pass_time(7 * second);
        const std::string branch = "z9hG4bK-re" + std::to_string(cseq);
        expect_released(
            from_caller(script.request("INVITE", cseq, script.caller_sdp(), script.callee_tag, branch)));
        expect_released(from_callee(
            script.response(200, "INVITE", cseq, script.callee_tag, script.callee_sdp(), branch)));
        expect_released(from_caller(script.request("ACK", cseq, "", script.callee_tag, branch + "a")));
    }
    pass_time(second);
    EXPECT_FALSE(flows.map.contains(to_callee()));
}

TEST_P(Unanswered, CanBeSwitchedOff) {
    settings.unanswered = std::chrono::milliseconds(0);
    restart();
    establish();
    send(to_callee(), 900);
    pass_time(59 * second);
    EXPECT_TRUE(flows.map.contains(to_callee()));
}

} // namespace
} // namespace stem::call
