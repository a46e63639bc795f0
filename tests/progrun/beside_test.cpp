// SPDX-License-Identifier: Apache-2.0
// What a pinhole carries that is no RTP: checks that open a pair of ICE candidates, DTLS, and fax.
#include "media.h"
#include "negotiated.h"
#include "verdict.h"

#include <linux/bpf.h>

#include <algorithm>

namespace stem::test {
namespace {

const Verdict passed = forwarded(STEM_FLOW);

Path back_of(const Path& path) {
    return path.back();
}

// The way back of the same ports.
stem_flow_key back_key(const Path& path) {
    stem_flow_key key = media_key(back_of(path));
    key.sport = media_dport;
    key.dport = media_sport;
    return key;
}

Packet media_back(const Path& path, const Packet& payload) {
    return back_of(path) / (Udp{.sport = media_dport, .dport = media_sport} / payload);
}

Bytes dtls(std::uint8_t type, std::uint16_t length, std::size_t octets) {
    Bytes record(13 + octets, 0x55);
    const Bytes header{type,
                       0xfe,
                       0xfd,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       1,
                       static_cast<std::uint8_t>(length >> 8),
                       static_cast<std::uint8_t>(length & 0xff)};
    std::ranges::copy(header, record.begin());
    return record;
}

Bytes udptl(std::uint16_t sequence, std::uint8_t primary, std::size_t octets) {
    Bytes packet(3 + octets, 0);
    packet[0] = static_cast<std::uint8_t>(sequence >> 8);
    packet[1] = static_cast<std::uint8_t>(sequence & 0xff);
    packet[2] = primary;
    return packet;
}

constexpr std::uint16_t request = 0x0001;
constexpr std::uint16_t indication = 0x0011;
constexpr std::uint16_t success = 0x0101;
constexpr std::uint16_t error = 0x0111;

class Beside : public EveryPath {
  protected:
    void open(unsigned flags) {
        stem_flow flow = wide_flow();
        flow.flags = static_cast<std::uint8_t>(flags);
        plane.set_flow(media_key(path()), flow);
        plane.set_flow(back_key(path()), flow);
    }
    void there(const Packet& payload, const Verdict& verdict) {
        plane.advance(30 * milliseconds);
        expect(plane, path().direction, media(path(), payload), verdict);
    }
    void back(const Packet& payload, const Verdict& verdict) {
        plane.advance(30 * milliseconds);
        expect(plane, back_of(path()).direction, media_back(path(), payload), verdict);
    }

    DataPlane& plane = DataPlane::with();
};
INSTANTIATE_TEST_SUITE_P(Paths, Beside, every_path(), name_of_path);

TEST_P(Beside, OnlyWhatWasNegotiatedSharesAPinhole) {
    open(STEM_FLOW_STUN);
    there(Stun{}, passed);
    there(Payload{dtls(22, 10, 10)}, dropped(STEM_RTP_VERSION));
    open(STEM_FLOW_DTLS);
    there(Stun{}, dropped(STEM_RTP_VERSION));
    there(Payload{dtls(22, 10, 10)}, passed);
    open(0);
    there(Stun{}, dropped(STEM_RTP_VERSION));
    there(Payload{dtls(22, 10, 10)}, dropped(STEM_RTP_VERSION));
    // RFC 7983: each first octet means one thing. 16 to 19 are ZRTP, 64 to 79 TURN: neither was negotiated.
    open(STEM_FLOW_STUN | STEM_FLOW_DTLS);
    for (unsigned first = 0; first < 128; first++) {
        Bytes octets(60, 0);
        octets[0] = static_cast<std::uint8_t>(first);
        const bool dtls_13 = first >= 32 && first <= 63; // its short header has nothing to check
        const bool form = first <= 3 || (first >= 20 && first < 32);
        there(Payload{octets}, dtls_13 ? passed : dropped(form ? STEM_MEDIA_FORM : STEM_RTP_VERSION));
    }
}

TEST_P(Beside, StunIsStun) {
    open(STEM_FLOW_STUN);
    const Verdict wrong = dropped(STEM_MEDIA_FORM);
    for (const std::uint16_t type : {request, indication, success, error}) {
        there(Stun{.type = type, .attributes = Bytes(40)}, passed);
    }
    there(Stun{.type = 0x0003}, wrong); // Allocate, of TURN
    there(Stun{.cookie = 0x2112a443}, wrong);
    there(Stun{.length = 4}, wrong);
    there(Stun{.attributes = Bytes(8), .length = 0}, wrong);
    there(Stun{.attributes = Bytes(580)}, passed);
    there(Stun{.attributes = Bytes(584)}, wrong);
    there(Payload{Bytes(12, 0)}, wrong);
    EXPECT_EQ(plane.flow_of(media_key(path())).faults[STEM_FAULT_FORM], 6U);
}

TEST_P(Beside, DtlsIsDtls) {
    open(STEM_FLOW_DTLS);
    const Verdict wrong = dropped(STEM_MEDIA_FORM);
    there(Payload{dtls(22, 200, 200)}, passed);
    there(Payload{dtls(22, 200, 260)}, passed); // and another record behind it
    there(Payload{dtls(22, 201, 200)}, wrong);
    Bytes old = dtls(22, 10, 10);
    old[1] = 3; // TLS's own version
    there(Payload{old}, wrong);
    there(Payload{Bytes(12, 22)}, wrong);
}

TEST_P(Beside, HasARateOfItsOwn) {
    open(STEM_FLOW_STUN | STEM_FLOW_DTLS);
    unsigned through = 0;
    for (int i = 0; i < 200; i++) {
        through +=
            plane.run(path().direction, media(path(), Stun{}).bytes()).action == XDP_REDIRECT ? 1U : 0U;
    }
    EXPECT_GE(through, 50U);
    EXPECT_LE(through, 52U) << "fifty a second, and a second's worth at once";
    (void)plane.take_events();
    Verdict too_much = dropped(STEM_MEDIA_BESIDE_RATE);
    too_much.event = EventFate::suppressed;
    expect(plane, path().direction, media(path(), Stun{}), too_much);
    plane.advance(seconds);
    // It spends nothing of the codec's, and the codec nothing of it.
    there(Rtp{}, passed);
    there(Stun{}, passed);
    EXPECT_GT(plane.flow_of(media_key(path())).faults[STEM_FAULT_BESIDE_RATE], 100U);
}

TEST_P(Beside, APairOfCandidatesWaitsForAnAnswer) {
    open(STEM_FLOW_STUN | STEM_FLOW_DTLS | STEM_FLOW_CANDIDATE | STEM_FLOW_RTCP_MUX);
    const Verdict waits = dropped(STEM_MEDIA_UNCHECKED);
    there(Rtp{}, waits);
    there(Rtcp{.type = 200, .body = 20}, waits);
    there(Payload{dtls(22, 10, 10)}, waits); // a stranger's ClientHello must not come first
    // An answer that nobody asked for opens nothing, nor does one to another request.
    back(Stun{.type = success}, passed);
    there(Rtp{}, waits);
    there(Stun{}, passed);
    back(Stun{.type = success, .transaction = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}}, passed);
    there(Rtp{}, waits);
    back(Stun{.type = error}, passed);
    there(Rtp{}, waits);
    // The answer: towards whoever gave it media go, and only towards him.
    back(Stun{.type = success}, passed);
    there(Rtp{}, passed);
    there(Payload{dtls(22, 10, 10)}, passed);
    back(Rtp{}, waits);
    back(Stun{}, passed);
    there(Stun{.type = success}, passed);
    back(Rtp{}, passed);
    EXPECT_EQ(plane.flow_of(media_key(path())).state, STEM_STREAM_CHECKED);
    EXPECT_EQ(plane.flow_of(back_key(path())).faults[STEM_FAULT_UNCHECKED], 1U);
}

TEST_P(Beside, WithoutCandidatesNoAnswerIsNeeded) {
    open(STEM_FLOW_STUN);
    there(Rtp{}, passed);
}

TEST_P(Beside, RtcpHasItsChecksToo) {
    stem_flow flow = wide_rtcp_flow();
    flow.flags = STEM_FLOW_STUN | STEM_FLOW_CANDIDATE;
    plane.set_flow(media_key(path()), flow);
    plane.set_flow(back_key(path()), flow);
    there(Rtcp{.type = 200, .body = 20}, dropped(STEM_MEDIA_UNCHECKED));
    there(Stun{}, passed);
    back(Stun{.type = success}, passed);
    there(Rtcp{.type = 200, .body = 20}, passed);
}

TEST_P(Beside, FaxIsUdptl) {
    stem_flow flow{};
    flow.kind = STEM_FLOW_UDPTL;
    flow.ns_per_packet = flow.ns_per_kib = 1;
    flow.bytes_burst_ns = flow.packets_burst_ns = 10 * seconds;
    flow.max_payload = 600;
    plane.set_flow(media_key(path()), flow);
    const Verdict wrong = dropped(STEM_MEDIA_FORM);
    for (const std::uint16_t sequence : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{0x8000},
                                         std::uint16_t{0xffff}}) { // the first octets are anything
        there(Payload{udptl(sequence, 4, 6)}, passed);
    }
    there(Payload{udptl(5, 0x81, 200)}, passed); // a length of two octets
    there(Payload{udptl(6, 7, 6)}, wrong);       // the primary packet is longer than the datagram
    there(Payload{udptl(7, 0xff, 100)}, wrong);
    there(Payload{udptl(8, 0, 0)}, wrong);
    there(Payload{Bytes{}}, wrong);
    there(Payload{udptl(9, 4, 598)}, dropped(STEM_RTP_SIZE));
    flow.ns_per_packet = seconds;
    flow.packets_burst_ns = 0;
    plane.set_flow(media_key(path()), flow);
    plane.advance(2 * seconds);
    expect(plane, path().direction, media(path(), Payload{udptl(10, 4, 6)}), passed);
    expect(plane, path().direction, media(path(), Payload{udptl(11, 4, 6)}), dropped(STEM_FLOW_PACKET_RATE));
}

} // namespace
} // namespace stem::test
