// SPDX-License-Identifier: Apache-2.0
// What is media in a pinhole: version, payload type, size; RTCP, and RTCP beside RTP.
#include "media.h"
#include "verdict.h"

namespace stem::test {
namespace {

using RtpEveryPath = EveryPath;
INSTANTIATE_TEST_SUITE_P(Paths, RtpEveryPath, every_path(), name_of_path);

struct Case {
    Packet payload;
    Verdict verdict;
};

void expect_each(DataPlane& plane, const Path& path, const std::vector<Case>& cases) {
    for (const Case& each : cases) {
        plane.advance(20 * milliseconds);
        expect(plane, path.direction, media(path, each.payload), each.verdict);
    }
}

const Verdict passed = forwarded(STEM_FLOW);

TEST_P(RtpEveryPath, WantsVersionTwo) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_flow());
    for (const std::uint8_t version : U8{0, 1, 2, 3}) {
        expect_each(plane, path(),
                    {{Rtp{.version = version}, version == 2 ? passed : dropped(STEM_RTP_VERSION)}});
    }
    plane.set_flow(media_key(path()), wide_rtcp_flow());
    for (const std::uint8_t version : U8{0, 1, 2, 3}) {
        expect_each(plane, path(),
                    {{Rtcp{.version = version}, version == 2 ? passed : dropped(STEM_RTP_VERSION)}});
    }
}

TEST_P(RtpEveryPath, WantsANegotiatedPayloadType) {
    DataPlane& plane = DataPlane::with();
    for (unsigned type = 0; type < 128; type++) {
        const Packet packet =
            media(path(), Rtp{.marker = type % 2 == 1, .payload_type = static_cast<std::uint8_t>(type)});
        stem_flow only_it = wide_flow();
        only_it.payload_types[0] = only_it.payload_types[1] = 0;
        only_it.payload_types[type / 64] = 1ULL << (type % 64);
        stem_flow all_else = wide_flow();
        all_else.payload_types[0] = ~only_it.payload_types[0];
        all_else.payload_types[1] = ~only_it.payload_types[1];
        plane.advance(20 * milliseconds);
        plane.set_flow(media_key(path()), only_it);
        expect(plane, path().direction, packet, passed);
        plane.set_flow(media_key(path()), all_else);
        expect(plane, path().direction, packet, dropped(STEM_RTP_PAYLOAD_TYPE));
    }
}

TEST_P(RtpEveryPath, WantsTheCodecsSize) {
    DataPlane& plane = DataPlane::with();
    stem_flow flow = wide_flow();
    flow.min_payload = 92; // UDP payload: RTP header and 80 octets
    flow.max_payload = 172;
    plane.set_flow(media_key(path()), flow);
    const Verdict wrong = dropped(STEM_RTP_SIZE);
    expect_each(plane, path(),
                {{Rtp{.payload = 79}, wrong},
                 {Rtp{.payload = 80}, passed},
                 {Rtp{.payload = 160}, passed},
                 {Rtp{.payload = 161}, wrong},
                 {Rtp{.payload = 1000}, wrong}});
    // No size of the codec's allows less than RTP's own header.
    flow.min_payload = 0;
    plane.set_flow(media_key(path()), flow);
    const Bytes header = Packet(Rtp{.payload = 0}).bytes();
    for (std::ptrdiff_t length = 0; length < 12; length++) {
        expect_each(plane, path(), {{Payload{Bytes(header.begin(), header.begin() + length)}, wrong}});
    }
    expect_each(plane, path(), {{Payload{header}, passed}});
}

TEST_P(RtpEveryPath, ReadsNoPaddingAsMedia) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_flow());
    Bytes frame = media(path(), Payload{}).bytes();
    const Bytes rtp = Packet(Rtp{}).bytes();
    frame.insert(frame.end(), rtp.begin(), rtp.end()); // good RTP, where only padding may be
    expect(plane, path().direction, frame, "RTP in the padding", dropped(STEM_RTP_SIZE));
}

TEST_P(RtpEveryPath, TakesRtcpInItsPinhole) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_rtcp_flow());
    const Verdict wrong = dropped(STEM_RTCP_FORM);
    for (unsigned type = 128; type < 256; type++) {
        expect_each(
            plane, path(),
            {{Rtcp{.type = static_cast<std::uint8_t>(type)}, type >= 192 && type <= 223 ? passed : wrong}});
    }
    expect_each(plane, path(),
                {{Rtcp{.type = 200, .body = 20}, passed},
                 {Rtcp{.type = 200, .body = 20} / Rtcp{.type = 202, .body = 8}, passed}, // a compound packet
                 {Rtcp{.body = 20, .length = 0}, passed}, // the first of several
                 {Rtcp{.body = 20, .length = 6}, passed},
                 {Rtcp{.body = 20, .length = 7}, wrong}, // longer than the datagram
                 {Rtcp{.length = 65535}, wrong},
                 {Rtp{}, wrong}});
    const Bytes header = Packet(Rtcp{}).bytes();
    for (std::ptrdiff_t length = 0; length < 8; length++) {
        expect_each(plane, path(), {{Payload{Bytes(header.begin(), header.begin() + length)}, wrong}});
    }
}

TEST_P(RtpEveryPath, TakesRtcpBesideRtpOnlyWhereAgreed) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_flow());
    // Read as RTP, receiver report 201 is payload type 73 with the marker.
    expect_each(plane, path(), {{Rtcp{.type = 201, .body = 24}, dropped(STEM_RTP_PAYLOAD_TYPE)}});
    stem_flow flow = wide_flow();
    flow.flags = STEM_FLOW_RTCP_MUX;
    flow.min_payload = flow.max_payload = 172;
    plane.set_flow(media_key(path()), flow);
    expect_each(plane, path(),
                {{Rtp{}, passed},
                 {Rtcp{.type = 201}, passed}, // RTP's size is not RTCP's
                 {Rtcp{.type = 200, .body = 20}, passed},
                 {Rtcp{.type = 201, .length = 2}, dropped(STEM_RTP_PAYLOAD_TYPE)},
                 {Rtcp{.type = 73}, dropped(STEM_RTP_PAYLOAD_TYPE)},
                 {Rtp{.payload_type = 8}, dropped(STEM_RTP_PAYLOAD_TYPE)},
                 {Rtp{.payload = 20}, dropped(STEM_RTP_SIZE)}});
    EXPECT_EQ(plane.flow_of(media_key(path())).packets, 3U);
    EXPECT_EQ(plane.flow_of(media_key(path())).dropped_packets, 4U);
}

TEST_P(RtpEveryPath, IgnoresWhatIsNoNegotiatedForm) {
    DataPlane& plane = DataPlane::with();
    plane.set_flow(media_key(path()), wide_flow());
    expect_each(plane, path(),
                {{Stun{}, dropped(STEM_RTP_VERSION)},
                 {Sip{}, dropped(STEM_RTP_VERSION)},
                 {Rtp{.marker = true}, passed},
                 {Rtp{.payload_type = 101, .payload = 4}, passed},
                 {Rtp{.sequence = 65535, .timestamp = 0xffffffff, .source = 0}, passed}});
}

} // namespace
} // namespace stem::test
