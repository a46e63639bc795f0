// SPDX-License-Identifier: Apache-2.0
// Peers behind NAT: when a place is to be learned, what the data plane is told, and what becomes of what it
// has learned.
#include "fakes.h"

namespace stem::call {
namespace {

class Nat : public MonitorFamilyTest {
  protected:
    [[nodiscard]] std::string private_ip() const { return script.v6 ? "fd00::5" : "192.168.1.5"; }
    void call(const std::string& caller_media) {
        expect_released(from_caller(script.request("INVITE", 1, script.sdp(caller_media, "10000"))));
        expect_released(
            from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.callee_sdp())));
        expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    }
    void reinvite(int cseq, const std::string& caller_sdp) {
        const std::string branch = "z9hG4bK-re" + std::to_string(cseq);
        expect_released(from_caller(script.request("INVITE", cseq, caller_sdp, script.callee_tag, branch)));
        expect_released(from_callee(
            script.response(200, "INVITE", cseq, script.callee_tag, script.callee_sdp(), branch)));
        expect_released(from_caller(script.request("ACK", cseq, "", script.callee_tag, branch + "a")));
    }
    [[nodiscard]] stem_learning_key learning_key(std::uint16_t port) const {
        stem_learning_key key{};
        key.local = Address::parse(script.callee_ip())->raw();
        key.port = port;
        key.direction = STEM_INBOUND;
        return key;
    }
    // As the data plane does it: the entry is locked, both pinholes open, and a notice comes.
    void lock(std::uint16_t local_port, const std::string& peer, std::uint16_t peer_port, bool tell = true) {
        auto& entry = flows.learnings.at(learning_key(local_port));
        entry.locked_ns = now;
        entry.candidate = Address::parse(peer)->raw();
        entry.candidate_port = peer_port;
        const auto in = key(peer, std::to_string(peer_port), script.callee_ip(), std::to_string(local_port),
                            STEM_INBOUND);
        const auto out = key(script.callee_ip(), std::to_string(local_port), peer, std::to_string(peer_port),
                             STEM_OUTBOUND);
        flows.map[in] = entry.in;
        flows.map[in].packets = 3;
        flows.map[out] = entry.out;
        stem_notice notice{};
        notice.kind = STEM_NOTICE_LEARNED;
        notice.dialog = entry.dialog;
        notice.key = in;
        if (tell) {
            monitor->heed(notice, now);
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Families, Nat, ::testing::Bool(), family_name);

TEST_P(Nat, IsToldByAPrivateAddressBehindAPublicOne) {
    call(private_ip());
    EXPECT_TRUE(flows.map.empty()) << "no pinhole to or from where nobody can be";
    ASSERT_EQ(flows.learnings.size(), 2U);
    const auto& rtp = flows.learnings.at(learning_key(20000));
    EXPECT_EQ(Address(rtp.signalled), *Address::parse(private_ip()));
    EXPECT_EQ(rtp.signalled_port, 10000);
    EXPECT_EQ(Address(rtp.from), *Address::parse(script.caller_ip()));
    EXPECT_EQ(rtp.from_mask.octet[15], 0xff);
    EXPECT_EQ(rtp.from_mask.octet[0], 0xff);
    EXPECT_EQ(rtp.opens, STEM_LEARNING_IN | STEM_LEARNING_OUT);
    EXPECT_EQ(rtp.until_ns, now + 20 * second);
    EXPECT_EQ(rtp.in.kind, STEM_FLOW_RTP);
    EXPECT_EQ(rtp.in.payload_types[0], 0x101U);
    EXPECT_EQ(rtp.beside_port, 0);
    const auto& rtcp = flows.learnings.at(learning_key(20001));
    EXPECT_EQ(rtcp.signalled_port, 10001);
    EXPECT_EQ(rtcp.beside_port, 20000);
    EXPECT_EQ(rtcp.in.kind, STEM_FLOW_RTCP);
}

TEST_P(Nat, IsNotAssumedElsewhere) {
    call(script.caller_ip());
    EXPECT_TRUE(flows.learnings.empty());
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_P(Nat, TheInsideIsTakenAtItsWord) {
    expect_released(from_caller(script.request("INVITE", 1, script.caller_sdp())));
    expect_released(
        from_callee(script.response(200, "INVITE", 1, script.callee_tag, script.sdp(private_ip(), "20000"))));
    EXPECT_TRUE(flows.learnings.empty());
    EXPECT_EQ(flows.map.size(), 4U);
}

TEST_P(Nat, PolicyDecides) {
    settings.nat = call::Nat::never;
    restart();
    call(private_ip());
    EXPECT_TRUE(flows.learnings.empty());
    EXPECT_EQ(flows.map.size(), 4U);

    settings.nat = call::Nat::always;
    restart();
    flows.map.clear();
    script.call_id = "call-2@test";
    call(script.caller_ip());
    EXPECT_EQ(flows.learnings.size(), 2U);
    EXPECT_TRUE(flows.map.empty());

    settings.nat_networks = {*Cidr::parse(script.v6 ? "2001:db8:1::/64" : "192.0.2.0/24")};
    restart();
    flows.learnings.clear();
    script.call_id = "call-3@test";
    call(script.caller_ip());
    const auto& entry = flows.learnings.at(learning_key(20000));
    EXPECT_EQ(Address(entry.from), settings.nat_networks[0].network());
    EXPECT_EQ(entry.from_mask.octet[15], 0);
    EXPECT_EQ(entry.from_mask.octet[script.v6 ? 7 : 14], 0xff);
}

TEST_P(Nat, TheWindowOpensAnewWithTheAnswer) {
    expect_released(from_caller(script.request("INVITE", 1, script.sdp(private_ip(), "10000"))));
    expect_released(from_callee(script.response(183, "INVITE", 1, script.callee_tag, script.callee_sdp())));
    EXPECT_EQ(flows.learnings.at(learning_key(20000)).until_ns, now + 20 * second);
    pass_time(60 * second);
    expect_released(from_callee(script.response(200, "INVITE", 1, script.callee_tag)));
    EXPECT_EQ(flows.learnings.at(learning_key(20000)).until_ns, now + 20 * second);
}

// RFC 9143: sound and pictures come from one place, and whichever is learned is that of both.
TEST_P(Nat, ABundleIsLearnedAsAWhole) {
    expect_released(from_caller(script.request("INVITE", 1, script.bundle(private_ip(), "10000"))));
    expect_released(from_callee(
        script.response(200, "INVITE", 1, script.callee_tag, script.bundle(script.callee_ip(), "20000"))));
    expect_released(from_caller(script.request("ACK", 1, "", script.callee_tag, "z9hG4bK-ack")));
    ASSERT_EQ(flows.learnings.size(), 1U);
    const auto expect_both = [](const stem_flow& flow) {
        EXPECT_EQ(flow.payload_types[0], 0x101U) << "sound";
        EXPECT_EQ(flow.payload_types[1], 1ULL << 32) << "pictures";
    };
    expect_both(flows.learnings.at(learning_key(20000)).in);
    expect_both(flows.learnings.at(learning_key(20000)).out);
    lock(20000, script.caller_ip(), 61000);
    const auto in = key(script.caller_ip(), "61000", script.callee_ip(), "20000", STEM_INBOUND);
    expect_both(flows.map.at(in));
    restart();
    monitor->adopt(now);
    ASSERT_TRUE(flows.map.contains(in));
    expect_both(flows.map.at(in));
    EXPECT_EQ(flows.map.size(), 2U);
}

TEST_P(Nat, ALearnedPeerHasItsPinholes) {
    call(private_ip());
    lock(20000, script.caller_ip(), 61000);
    EXPECT_EQ(flows.map.size(), 2U);
    const auto in = key(script.caller_ip(), "61000", script.callee_ip(), "20000", STEM_INBOUND);
    EXPECT_EQ(flows.map.at(in).packets, 3U) << "what the data plane counted stays";
    EXPECT_EQ(monitor->totals().pinholes, 2U);
    EXPECT_EQ(monitor->totals().peers_learned, 1U);
    lock(20001, script.caller_ip(), 61003);
    EXPECT_EQ(monitor->totals().pinholes, 4U);
    EXPECT_EQ(flows.learnings.size(), 2U) << "they hold the lock";

    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    pass_time(second);
    EXPECT_TRUE(flows.map.empty());
    EXPECT_TRUE(flows.learnings.empty());
}

TEST_P(Nat, StaysLearnedUntilAnotherPlaceIsOffered) {
    call(private_ip());
    lock(20000, script.caller_ip(), 61000);
    const auto locked = flows.learnings.at(learning_key(20000)).locked_ns;
    now += second;
    reinvite(2, script.sdp(private_ip(), "10000"));
    pass_time(5 * second);
    EXPECT_EQ(flows.learnings.at(learning_key(20000)).locked_ns, locked);
    EXPECT_EQ(flows.map.size(), 2U);

    reinvite(3, script.sdp(private_ip(), "10010"));
    EXPECT_EQ(flows.learnings.at(learning_key(20000)).locked_ns, 0U);
    EXPECT_EQ(flows.learnings.at(learning_key(20000)).signalled_port, 10010);
    EXPECT_EQ(flows.map.size(), 2U) << "the old ones for their grace";
    pass_time(5 * second);
    EXPECT_TRUE(flows.map.empty());
    lock(20000, script.caller_ip(), 62000);
    EXPECT_EQ(flows.map.size(), 2U);
}

TEST_P(Nat, ARestartKeepsWhatWasLearned) {
    call(private_ip());
    lock(20000, script.caller_ip(), 61000);
    restart();
    EXPECT_EQ(monitor->adopt(now), 1U);
    EXPECT_EQ(flows.map.size(), 2U);
    EXPECT_EQ(monitor->totals().pinholes, 2U);
    EXPECT_NE(flows.learnings.at(learning_key(20000)).locked_ns, 0U);
    // And what was learned while there was no stemd.
    lock(20001, script.caller_ip(), 61001, false);
    restart();
    EXPECT_EQ(monitor->adopt(now), 1U);
    EXPECT_EQ(flows.map.size(), 4U);
    EXPECT_EQ(monitor->totals().pinholes, 4U);
}

TEST_P(Nat, ALostNoticeIsMadeUpFor) {
    call(private_ip());
    lock(20000, script.caller_ip(), 61000, false);
    EXPECT_EQ(monitor->totals().pinholes, 0U);
    monitor->look_around(now);
    EXPECT_EQ(monitor->totals().pinholes, 2U);
}

TEST_P(Nat, WhatIsLearnedTooLateBelongsToNobody) {
    call(private_ip());
    const auto entry = flows.learnings.at(learning_key(20000));
    expect_released(from_caller(script.request("BYE", 2, "", script.callee_tag, "z9hG4bK-bye")));
    expect_released(from_callee(script.response(200, "BYE", 2, script.callee_tag, "", "z9hG4bK-bye")));
    EXPECT_TRUE(flows.learnings.empty());
    flows.learnings[learning_key(20000)] = entry; // the data plane was in the midst of it
    lock(20000, script.caller_ip(), 61000);
    EXPECT_TRUE(flows.map.empty());
}

} // namespace
} // namespace stem::call
