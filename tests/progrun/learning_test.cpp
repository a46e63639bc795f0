// SPDX-License-Identifier: Apache-2.0
// Peers behind NAT: from whom a port is learned, what passes before and after, and that nothing moves a lock.
#include "negotiated.h"
#include "verdict.h"

namespace stem::test {
namespace {

constexpr std::uint16_t nat_port = 61000; // what the NAT made of media_sport
constexpr std::uint64_t window = 20 * seconds;

class Learning : public testing::TestWithParam<Path> {
  protected:
    void SetUp() override {
        plane.set_learning(key(media_dport), entry(false));
        plane.set_learning(key(media_dport + 1), entry(true));
    }
    [[nodiscard]] stem_learning_key key(std::uint16_t port) const {
        stem_learning_key made{};
        made.local = path.dst().raw();
        made.port = port;
        made.direction = static_cast<std::uint8_t>(path.direction);
        return made;
    }
    [[nodiscard]] stem_learning entry(bool rtcp) const {
        stem_learning made{};
        made.until_ns = plane.now() + window;
        made.signalled = private_host.raw();
        made.signalled_port = rtcp ? media_sport + 1 : media_sport;
        made.from = path.src().raw();
        std::ranges::fill(made.from_mask.octet, std::uint8_t{0xff});
        made.opens = STEM_LEARNING_IN | STEM_LEARNING_OUT;
        made.beside_port = rtcp ? media_dport : 0;
        made.dialog = 7;
        made.in = made.out = negotiated(g711);
        if (rtcp) {
            made.in = made.out = wide_rtcp_flow();
        }
        return made;
    }
    [[nodiscard]] Bytes from(const Address& source, std::uint16_t port, std::uint16_t sequence,
                             std::uint32_t ssrc = 0x11223344) const {
        return (path.network(source, path.dst()) /
                (Udp{.sport = port, .dport = media_dport} / Rtp{.sequence = sequence, .source = ssrc}))
            .bytes();
    }
    [[nodiscard]] Bytes rtcp_from(const Address& source, std::uint16_t port) const {
        return (path.network(source, path.dst()) /
                (Udp{.sport = port, .dport = media_dport + 1} / Rtcp{.type = 200, .body = 20}))
            .bytes();
    }
    [[nodiscard]] Bytes towards(const Address& peer, std::uint16_t port) const {
        const Path back = path.back();
        return (back.network(back.src(), peer) / (Udp{.sport = media_dport, .dport = port} / Rtp{})).bytes();
    }
    void expect_in(const Bytes& frame, const std::string& name, const Verdict& verdict) {
        plane.advance(milliseconds); // events have a budget, too
        expect(plane, path.direction, frame, name, verdict);
    }
    void expect_out(const Bytes& frame, const std::string& name, const Verdict& verdict) {
        plane.advance(milliseconds);
        expect(plane, path.back().direction, frame, name, verdict);
    }
    [[nodiscard]] stem_flow_key flow_key(const Address& source, std::uint16_t port) const {
        stem_flow_key made = media_key(path);
        made.src = source.raw();
        made.sport = port;
        return made;
    }

    DataPlane& plane = DataPlane::with();
    Path path = GetParam();
    Address nat = path.src();
    Address private_host = ip(path.is_v6() ? "fd00::5" : "192.168.1.5");
    Address stranger = ip(path.is_v6() ? "2001:db8:1::66" : "192.0.2.66");
    Verdict waits = dropped(STEM_RTP_UNLEARNED);
    Verdict passes = forwarded(STEM_FLOW);
};
INSTANTIATE_TEST_SUITE_P(Paths, Learning,
                         testing::Values(Path{.shape = Shape::v4, .direction = STEM_INBOUND},
                                         Path{.shape = Shape::v6, .direction = STEM_INBOUND}),
                         [](const auto& tested) { return tested.param.is_v6() ? "v6" : "v4"; });

TEST_P(Learning, LocksAfterConsistentPackets) {
    expect_out(towards(nat, nat_port), "nobody is learned yet", dropped(STEM_NO_PINHOLE));
    expect_in(from(nat, nat_port, 10), "the first", waits);
    expect_in(from(nat, nat_port, 11), "the second", waits);
    EXPECT_TRUE(plane.take_notices().empty());
    EXPECT_FALSE(plane.has_flow(flow_key(nat, nat_port)));
    expect_out(towards(nat, nat_port), "a candidate is not a peer", dropped(STEM_NO_PINHOLE));
    plane.advance(20 * milliseconds);
    expect_in(from(nat, nat_port, 12), "the third", passes);
    const auto notices = plane.take_notices();
    ASSERT_EQ(notices.size(), 1U);
    EXPECT_EQ(notices[0].kind, STEM_NOTICE_LEARNED);
    EXPECT_EQ(notices[0].dialog, 7U);
    EXPECT_EQ(Address(notices[0].key.src), nat);
    EXPECT_EQ(notices[0].key.sport, nat_port);
    EXPECT_EQ(notices[0].key.dport, media_dport);
    EXPECT_EQ(plane.learning_of(key(media_dport)).locked_ns, plane.now());
    expect_in(from(nat, nat_port, 13), "through the pinhole", passes);
    expect_out(towards(nat, nat_port), "and back", passes);
    EXPECT_EQ(plane.flow_of(flow_key(nat, nat_port)).packets, 1U);
}

TEST_P(Learning, NobodyElseIsHeardBeforeOrAfter) {
    for (std::uint16_t n = 0; n < 50; n++) {
        expect_in(from(stranger, nat_port, n), "a sprayer in the window", waits);
    }
    EXPECT_EQ(plane.learning_of(key(media_dport)).refused, 50U);
    EXPECT_EQ(plane.learning_of(key(media_dport)).candidate_packets, 0U);
    for (std::uint16_t n = 0; n < 3; n++) {
        expect_in(from(stranger, nat_port, 900 + n), "between the peer's packets", waits);
        expect_in(from(nat, nat_port, 10 + n), "the peer", n == 2 ? passes : waits);
    }
    for (std::uint16_t n = 0; n < 50; n++) {
        expect_in(from(stranger, nat_port, 13 + n), "an injector after the lock", waits);
        expect_in(from(nat, nat_port + 1, 13 + n), "another port of the NAT", waits);
    }
    expect_out(towards(stranger, nat_port), "nothing bleeds", dropped(STEM_NO_PINHOLE));
    expect_out(towards(nat, nat_port + 1), "nor to the other port", dropped(STEM_NO_PINHOLE));
    EXPECT_EQ(plane.take_notices().size(), 1U);
    expect_in(from(nat, nat_port, 13), "the peer goes on", passes);
}

TEST_P(Learning, TheSignalledAddressWinsAtOnce) {
    expect_in(from(nat, nat_port, 10), "a candidate", waits);
    expect_in(from(nat, nat_port, 11), "a candidate", waits);
    expect_in(from(private_host, media_sport, 500), "the signalled address", passes);
    expect_in(from(nat, nat_port, 12), "the candidate is out", waits);
    expect_in(from(private_host, media_sport, 501), "the signalled address", passes);
    expect_out(towards(private_host, media_sport), "and back", passes);
    expect_out(towards(nat, nat_port), "not to the candidate", dropped(STEM_NO_PINHOLE));
    EXPECT_EQ(Address(plane.learning_of(key(media_dport)).candidate), private_host);
}

TEST_P(Learning, WantsOneSenderInOrder) {
    // Two phones behind the same NAT, in turn; then numbers that do not follow; then another SSRC.
    for (std::uint16_t n = 0; n < 20; n++) {
        expect_in(from(nat, nat_port, 10 + n), "one", waits);
        expect_in(from(nat, nat_port + 2, 10 + n), "the other", waits);
    }
    for (std::uint16_t n = 0; n < 20; n++) {
        expect_in(from(nat, nat_port, 1000), "the same number", waits);
    }
    for (std::uint16_t n = 0; n < 20; n++) {
        expect_in(from(nat, nat_port, 2000 + n, 1000U + n), "source after source", waits);
    }
    EXPECT_TRUE(plane.take_notices().empty());
    expect_in(from(nat, nat_port, 3000), "a sender", waits);
    expect_in(from(nat, nat_port, 3001), "a sender", waits);
    expect_in(from(nat, nat_port, 3004), "a loss is no break", passes);
}

TEST_P(Learning, WantsWhatWasNegotiated) {
    expect_in((path / (Udp{.sport = nat_port, .dport = media_dport} / Rtp{.payload_type = 96})).bytes(),
              "a payload type that was not agreed", dropped(STEM_RTP_PAYLOAD_TYPE));
    expect_in((path / (Udp{.sport = nat_port, .dport = media_dport} / Rtp{.payload = 1300})).bytes(),
              "too large", dropped(STEM_RTP_SIZE));
    expect_in((path / (Udp{.sport = nat_port, .dport = media_dport} / Stun{})).bytes(), "no RTP",
              dropped(STEM_RTP_VERSION));
    expect_in((path / (Udp{.sport = nat_port, .dport = media_dport} / Payload{})).bytes(), "empty",
              dropped(STEM_RTP_SIZE));
    EXPECT_EQ(plane.learning_of(key(media_dport)).candidate_packets, 0U);
}

TEST_P(Learning, TheWindowCloses) {
    plane.advance(window - 10 * milliseconds);
    expect_in(from(nat, nat_port, 10), "in time", waits);
    expect_in(from(nat, nat_port, 11), "in time", waits);
    plane.advance(8 * milliseconds);
    for (std::uint16_t n = 0; n < 10; n++) {
        expect_in(from(nat, nat_port, 12 + n), "too late", waits);
        expect_in(from(private_host, media_sport, 12 + n), "too late even as signalled", waits);
    }
    EXPECT_TRUE(plane.take_notices().empty());
    EXPECT_EQ(plane.learning_of(key(media_dport)).locked_ns, 0U);
}

TEST_P(Learning, RtcpIsLearnedBesideRtp) {
    expect_in(rtcp_from(nat, nat_port + 5), "before RTP", waits);
    for (std::uint16_t n = 0; n < 3; n++) {
        expect_in(from(nat, nat_port, 10 + n), "RTP", n == 2 ? passes : waits);
    }
    expect_in(rtcp_from(stranger, nat_port + 1), "from elsewhere", waits);
    expect_in(rtcp_from(nat, nat_port + 5), "beside RTP", passes);
    expect_in(rtcp_from(nat, nat_port + 6), "from another port then", waits);
    expect_in(rtcp_from(nat, nat_port + 5), "through its pinhole", passes);
    const auto notices = plane.take_notices();
    ASSERT_EQ(notices.size(), 2U);
    EXPECT_EQ(notices[1].key.dport, media_dport + 1);
    EXPECT_EQ(notices[1].key.sport, nat_port + 5);
}

TEST_P(Learning, ANatMayHaveSeveralAddresses) {
    stem_learning wide = entry(false);
    for (std::size_t i = 15; i < 16; i++) { // the last octet
        wide.from.octet[i] = 0;
        wide.from_mask.octet[i] = 0;
    }
    plane.set_learning(key(media_dport), wide);
    for (std::uint16_t n = 0; n < 3; n++) {
        expect_in(from(stranger, nat_port, 10 + n), "another address of the NAT", n == 2 ? passes : waits);
    }
}

TEST_P(Learning, OpensOnlyTheWayThatIsWanted) {
    stem_learning hold = entry(false);
    hold.opens = STEM_LEARNING_OUT; // we send music, and want nothing back
    plane.set_learning(key(media_dport), hold);
    for (std::uint16_t n = 0; n < 3; n++) {
        expect_in(from(nat, nat_port, 10 + n), "what tells where the peer is", waits);
    }
    expect_out(towards(nat, nat_port), "music", passes);
    expect_in(from(nat, nat_port, 13), "nothing back", waits);
}

// Where learning is does not depend on rules, and without it nothing is held up.
TEST_P(Learning, OthersPassBy) {
    Path elsewhere = path;
    expect(plane, path.direction, elsewhere / (Udp{.sport = nat_port, .dport = media_dport + 7} / Rtp{}),
           dropped(STEM_NO_PINHOLE));
    EXPECT_EQ(plane.learning_of(key(media_dport)).refused, 0U);
}

// DTLS comes before RTP can, and from behind NAT as well; fax has no SSRC to be known by.
TEST_P(Learning, IsFromWhateverWasNegotiated) {
    const auto from_peer = [&](const Bytes& payload) {
        return (path.network(path.src(), path.dst()) /
                (Udp{.sport = nat_port, .dport = media_dport} / Payload{payload}))
            .bytes();
    };
    const Bytes hello{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 1, 1};
    stem_learning secure = entry(false);
    secure.in.flags |= STEM_FLOW_DTLS;
    secure.out.flags |= STEM_FLOW_DTLS;
    plane.set_learning(key(media_dport), secure);
    expect_in(from_peer(hello), "first", dropped(STEM_RTP_UNLEARNED));
    expect_in(from_peer(hello), "second", dropped(STEM_RTP_UNLEARNED));
    expect_in(from_peer(hello), "third", forwarded(STEM_FLOW));
    expect_in(from(path.src(), nat_port, 1), "then RTP", forwarded(STEM_FLOW));
}

TEST_P(Learning, IsFromFaxInOrder) {
    const auto fax = [&](std::uint16_t sequence) {
        const Bytes packet{
            static_cast<std::uint8_t>(sequence >> 8), static_cast<std::uint8_t>(sequence), 1, 2, 0, 0};
        return (path.network(path.src(), path.dst()) /
                (Udp{.sport = nat_port, .dport = media_dport} / Payload{packet}))
            .bytes();
    };
    stem_learning image = entry(false);
    for (stem_flow* flow : {&image.in, &image.out}) {
        flow->kind = STEM_FLOW_UDPTL;
        flow->flags = 0;
    }
    plane.set_learning(key(media_dport), image);
    expect_in(fax(7), "first", dropped(STEM_RTP_UNLEARNED));
    expect_in(fax(500), "out of order: first again", dropped(STEM_RTP_UNLEARNED));
    expect_in(fax(501), "second", dropped(STEM_RTP_UNLEARNED));
    expect_in(fax(502), "third", forwarded(STEM_FLOW));
}

} // namespace
} // namespace stem::test
