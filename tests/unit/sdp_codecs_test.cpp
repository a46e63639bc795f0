// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/codecs.h"
#include "ctl/sdp/session.h"

#include "sip_text.h"

#include <gtest/gtest.h>

namespace {

using stem::sdp::format_parameter;
using stem::sdp::policed;

stem_media policed_from(std::string_view lines, std::string_view connection = "IN IP4 192.0.2.1") {
    const auto read = stem::sdp::parse(
        stem::test::crlf("v=0\nc=" + std::string(connection) + "\n" + std::string(lines) + "\n"), {});
    EXPECT_TRUE(read) << read.error().what;
    return read && !read->media.empty() ? policed(read->media[0]) : stem_media{};
}

struct Expected {
    std::string_view lines;
    std::uint32_t bits_per_second; // at IP level over IPv4, before the margin
    std::uint32_t packets_per_second;
};

class CodecRate : public testing::TestWithParam<Expected> {};

TEST_P(CodecRate, HasAQuarterMore) {
    const auto& [lines, bits, packets] = GetParam();
    const stem_media media = policed_from(lines);
    EXPECT_NEAR(media.bytes_per_second, bits / 8.0 * 1.25, 4) << lines;
    EXPECT_NEAR(media.packets_per_second, packets * 1.25, 2) << lines;
}

// Payload and 40 octets of IPv4, UDP and RTP, at the shortest packet allowed: reckoned by hand.
INSTANTIATE_TEST_SUITE_P(
    Table, CodecRate,
    testing::Values(
        Expected{"m=audio 4000 RTP/AVP 0", 96'000, 100},
        Expected{"m=audio 4000 RTP/AVP 8\na=ptime:20", 96'000, 100},
        Expected{"m=audio 4000 RTP/AVP 0\na=ptime:5", 128'000, 200},
        Expected{"m=audio 4000 RTP/AVP 0\na=ptime:1", 128'000, 200},
        Expected{"m=audio 4000 RTP/AVP 0\nb=AS:12", 96'000, 100},
        Expected{"m=audio 4000 RTP/AVP 0\nb=AS:9999", 96'000, 100},
        Expected{"m=audio 4000 RTP/AVP 9", 96'000, 100}, Expected{"m=audio 4000 RTP/AVP 18", 40'000, 100},
        Expected{"m=audio 4000 RTP/AVP 3", 29'200, 50}, Expected{"m=audio 4000 RTP/AVP 4", 17'067, 34},
        Expected{"m=audio 4000 RTP/AVP 15", 48'000, 100},
        Expected{"m=audio 4000 RTP/AVP 97\na=rtpmap:97 iLBC/8000", 31'200, 50},
        Expected{"m=audio 4000 RTP/AVP 97\na=rtpmap:97 iLBC/8000\na=fmtp:97 mode=30", 24'000, 34},
        Expected{"m=audio 4000 RTP/AVP 97\na=rtpmap:97 AMR/8000", 29'200, 50},
        Expected{"m=audio 4000 RTP/AVP 97\na=rtpmap:97 AMR/8000/1\na=fmtp:97 octet-align=1; mode-set=0,2",
                 22'800, 50},
        Expected{"m=audio 4000 RTP/AVP 97\na=rtpmap:97 AMR-WB/16000", 40'800, 50},
        Expected{"m=audio 4000 RTP/AVP 111\na=rtpmap:111 opus/48000/2", 96'000, 100},
        Expected{"m=audio 4000 RTP/AVP 111\na=rtpmap:111 opus/48000/2\na=fmtp:111 stereo=1", 160'000, 100},
        Expected{"m=audio 4000 RTP/AVP 111\na=rtpmap:111 opus/48000/2\na=fmtp:111 "
                 "useinbandfec=1;maxaveragebitrate=510000",
                 541'600, 100},
        Expected{"m=audio 4000 RTP/AVP 111\na=rtpmap:111 opus/48000/2\na=fmtp:111 maxaveragebitrate=99999999",
                 96'000, 100},
        // The largest of all; digits come on top.
        Expected{"m=audio 4000 RTP/AVP 18 0", 96'000, 100},
        Expected{"m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000", 131'200, 200},
        // Redundancy sends each payload twice (RFC 2198): 64 kb/s and a header of 5 more.
        Expected{"m=audio 4000 RTP/AVP 98 0\na=rtpmap:98 red/8000", 164'000, 100},
        // Two channels of 48 kHz: 7 ms are what fits a packet.
        Expected{"m=audio 4000 RTP/AVP 97\na=rtpmap:97 L16/48000/2", 1'581'714, 143},
        // SRTP: 14 octets a packet.
        Expected{"m=audio 4000 RTP/SAVP 0", 107'200, 100},
        // Unknown ones go by b=, or by the default.
        Expected{"m=audio 4000 RTP/AVP 99\na=rtpmap:99 novel/8000", 128'000, 100},
        Expected{"m=audio 4000 RTP/AVP 99\na=rtpmap:99 novel/8000\nb=AS:64", 64'000, 100},
        Expected{"m=audio 4000 RTP/AVP 99\na=rtpmap:99 novel/8000\nb=TIAS:64000", 96'000, 100},
        Expected{"m=video 4000 RTP/AVP 96\na=rtpmap:96 H264/90000", 2'000'000, 1250},
        Expected{"m=video 4000 RTP/AVP 96\na=rtpmap:96 H264/90000\nb=AS:800", 800'000, 500},
        Expected{"m=video 4000 RTP/AVP 96\na=rtpmap:96 H264/90000\nb=AS:4294967295", 20'000'000, 12'500}));

TEST(Policed, Ipv6PaysItsHeader) {
    const stem_media v4 = policed_from("m=audio 4000 RTP/AVP 0");
    const stem_media v6 = policed_from("m=audio 4000 RTP/AVP 0", "IN IP6 2001:db8::1");
    EXPECT_EQ(v4.bytes_per_second, 15'000U);
    EXPECT_EQ(v6.bytes_per_second, 17'500U);
    EXPECT_EQ(v4.packets_per_second, v6.packets_per_second);
    EXPECT_EQ(v6.address.octet[0], 0x20);
    EXPECT_EQ(v4.address.octet[10], 0xff);
}

TEST(Policed, PayloadTypesAreBits) {
    const stem_media media = policed_from("m=audio 4000 RTP/AVP 0 63 64 127");
    EXPECT_EQ(media.payload_types[0], 1ULL | 1ULL << 63);
    EXPECT_EQ(media.payload_types[1], 1ULL | 1ULL << 63);
}

TEST(Policed, SizesComeFromTheLongestPacket) {
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0").min_payload, 12);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0").max_payload, 480 + 12 + 64 + 16);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=maxptime:100").max_payload, 800 + 92);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=maxptime:9999").max_payload, 1472);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 18").max_payload, 60 + 92);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 4").max_payload, 48 + 92);
    EXPECT_EQ(policed_from("m=video 4000 RTP/AVP 96").max_payload, 1472);
}

TEST(Policed, RtcpHasItsShare) {
    const stem_media media = policed_from("m=audio 4000 RTP/AVP 0");
    EXPECT_EQ(media.rtcp_port, 4001);
    EXPECT_EQ(media.rtcp_bytes_per_second, 1000U); // the floor: five percent of 12,000 is less
    EXPECT_EQ(policed_from("m=video 4000 RTP/AVP 96").rtcp_bytes_per_second, 12'500U);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\nb=RS:8000\nb=RR:24000").rtcp_bytes_per_second, 4000U);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\nb=RS:0\nb=RR:0").rtcp_bytes_per_second, 1000U);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=rtcp:4500").rtcp_port, 4500);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=rtcp:4500 IN IP4 192.0.2.1").rtcp_port, 4500);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=rtcp:4500 IN IP4 192.0.2.2").rtcp_port, 0);
    EXPECT_EQ(policed_from("m=audio 65535 RTP/AVP 0").rtcp_port, 0);
}

TEST(Policed, MuxSharesThePort) {
    const stem_media alone = policed_from("m=audio 4000 RTP/AVP 0");
    const stem_media shared = policed_from("m=audio 4000 RTP/AVP 0\na=rtcp-mux");
    EXPECT_EQ(shared.rtcp_port, 4001) << "kept for an answer without mux";
    EXPECT_EQ(shared.flags, STEM_MEDIA_RECEIVES | STEM_MEDIA_SENDS | STEM_MEDIA_RTCP_MUX);
    EXPECT_EQ(shared.bytes_per_second, alone.bytes_per_second + 1250);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=rtcp:4000").flags & STEM_MEDIA_RTCP_MUX,
              STEM_MEDIA_RTCP_MUX);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=rtcp:9 IN IP4 0.0.0.0\na=rtcp-mux").rtcp_port, 0);
    // Said outright, it is where RTCP goes if the other side does not share.
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=rtcp:4500\na=rtcp-mux").rtcp_port, 4500);
}

TEST(Policed, HoldReceivesNothing) {
    constexpr unsigned both = STEM_MEDIA_RECEIVES | STEM_MEDIA_SENDS;
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0").flags, both);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=recvonly").flags, STEM_MEDIA_RECEIVES);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=sendonly").flags, STEM_MEDIA_SENDS);
    EXPECT_EQ(policed_from("a=inactive\nm=audio 4000 RTP/AVP 0").flags, 0);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0", "IN IP4 0.0.0.0").flags, STEM_MEDIA_SENDS);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0", "IN IP6 ::").flags, STEM_MEDIA_SENDS);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0", "IN IP4 0.0.0.0").rtp_port, 4000);
}

TEST(Policed, WhereKeysComeFrom) {
    constexpr unsigned secure = STEM_MEDIA_RECEIVES | STEM_MEDIA_SENDS | STEM_MEDIA_SRTP;
    EXPECT_EQ(policed_from("m=audio 4000 UDP/TLS/RTP/SAVPF 0").flags, secure | STEM_MEDIA_DTLS);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/SAVPF 0\na=fingerprint:sha-256 00").flags,
              secure | STEM_MEDIA_DTLS);
    EXPECT_EQ(policed_from("a=fingerprint:sha-256 00\nm=audio 4000 RTP/SAVP 0").flags,
              secure | STEM_MEDIA_DTLS);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x").flags,
              secure);
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\na=fingerprint:sha-256 00").flags & STEM_MEDIA_DTLS, 0);
}

TEST(Policed, RtcpCanBeSwitchedOff) {
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\nb=RS:0\nb=RR:0").rtcp_port, 0) << "RFC 3556 2";
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0\nb=RS:0\nb=RR:0\na=rtcp-mux").bytes_per_second,
              policed_from("m=audio 4000 RTP/AVP 0").bytes_per_second);
}

TEST(Policed, FaxIsBoundedByItsBitRate) {
    const stem_media fax =
        policed_from("m=image 4000 udptl t38\na=T38MaxBitRate:14400\na=T38FaxMaxDatagram:72");
    EXPECT_EQ(fax.kind, STEM_MEDIA_UDPTL);
    EXPECT_EQ(fax.rtp_port, 4000);
    EXPECT_EQ(fax.rtcp_port, 0) << "T.38 has no RTCP";
    EXPECT_EQ(fax.flags, STEM_MEDIA_RECEIVES | STEM_MEDIA_SENDS);
    // Five times 14,400 bit/s, and 100 packets of 40 octets of headers, with a quarter more.
    EXPECT_EQ(fax.bytes_per_second, (1800 * 5 + 100 * 40) * 5 / 4U);
    EXPECT_EQ(fax.packets_per_second, 125U);
    EXPECT_EQ(fax.max_payload, 600) << "gateways say 72, and send more";
    EXPECT_EQ(policed_from("m=image 4000 udptl t38\na=T38FaxMaxDatagram:1400").max_payload, 1400);
    EXPECT_EQ(policed_from("m=image 4000 udptl t38\na=T38FaxMaxDatagram:9000").max_payload, 1472);
    // Without a word, and with an absurd one, it is V.34's.
    const auto fastest = policed_from("m=image 4000 udptl t38").bytes_per_second;
    EXPECT_EQ(fastest, (4200 * 5 + 100 * 40) * 5 / 4U);
    EXPECT_EQ(policed_from("m=image 4000 udptl t38\na=T38MaxBitRate:4000000000").bytes_per_second, fastest);
    EXPECT_EQ(policed_from("m=image 4000 udptl t38", "IN IP6 2001:db8::1").bytes_per_second,
              fastest + 100 * 20 * 5 / 4);
    EXPECT_EQ(policed_from("m=image 0 udptl t38").rtp_port, 0);
}

TEST(Policed, TextIsSlow) {
    const stem_media text = policed_from("m=text 4000 RTP/AVP 98\na=rtpmap:98 t140/1000");
    EXPECT_EQ(text.rtp_port, 4000);
    EXPECT_LE(text.bytes_per_second, 6000U);
    EXPECT_GE(text.max_payload, 400);
    EXPECT_GT(policed_from("m=text 4000 RTP/AVP 98 100\na=rtpmap:98 t140/1000\na=rtpmap:100 red/1000\n"
                           "a=fmtp:100 98/98/98")
                  .bytes_per_second,
              text.bytes_per_second);
}

TEST(Policed, OnlyRtpAndFaxAreOpened) {
    EXPECT_EQ(policed_from("m=audio 0 RTP/AVP 0").rtp_port, 0);
    EXPECT_EQ(policed_from("m=message 4000 TCP/MSRP *").rtp_port, 0);
    EXPECT_EQ(policed_from("m=image 4000 tcp t38").rtp_port, 0);
    EXPECT_EQ(policed_from("m=audio 4000 udptl t38").rtp_port, 0);
    EXPECT_EQ(policed_from("m=application 4000 UDP/DTLS/SCTP webrtc-datachannel").rtp_port, 0);
}

TEST(Policed, AllCodecsOfTheTableHaveARate) {
    for (int type = 0; type < 19; ++type) {
        const stem_media media = policed_from("m=audio 4000 RTP/AVP " + std::to_string(type));
        EXPECT_GT(media.bytes_per_second, 1000U) << type;
        EXPECT_GE(media.packets_per_second, 34U) << type;
        EXPECT_GT(media.max_payload, 92) << type;
    }
}

TEST(FormatParameter, IsFoundByName) {
    EXPECT_EQ(format_parameter("a=1; Mode-Set = 0,2 ;b", "mode-set"), "0,2");
    EXPECT_EQ(format_parameter("xmode=1", "mode"), "");
    EXPECT_EQ(format_parameter(";;=;", "mode"), "");
}

// RFC 4588, 5109: what repairs the media comes beside them.
TEST(Policed, RepairsDoubleTheRate) {
    const stem_media plain = policed_from("m=audio 4000 RTP/AVP 0");
    for (const char* encoding : {"rtx", "ulpfec", "flexfec-03"}) {
        const stem_media repaired =
            policed_from("m=audio 4000 RTP/AVP 0 97\na=rtpmap:97 " + std::string(encoding) + "/8000");
        EXPECT_EQ(repaired.bytes_per_second, 2 * plain.bytes_per_second) << encoding;
        EXPECT_EQ(repaired.packets_per_second, 2 * plain.packets_per_second) << encoding;
    }
}

TEST(Policed, TellsEachTypesClock) {
    const stem_media media =
        policed_from("m=audio 4000 RTP/AVP 0 96 97 98 101\na=rtpmap:96 opus/48000/2\na=rtpmap:97 L16/16000\n"
                     "a=rtpmap:98 L16/32000\na=rtpmap:101 telephone-event/8000");
    const auto clock_of = [&](unsigned type) { return media.clock_of[type / 4] >> (type % 4 * 2) & 3; };
    EXPECT_EQ(media.clock_hz[clock_of(0)], 8000U);
    EXPECT_EQ(media.clock_hz[clock_of(96)], 48000U);
    EXPECT_EQ(media.clock_hz[clock_of(97)], 16000U);
    EXPECT_EQ(clock_of(98), 3) << "a fourth clock is not measured";
    EXPECT_EQ(clock_of(101), 3) << "the timestamps of digits stand still";
    EXPECT_EQ(clock_of(50), 3);
}

TEST(Policed, VideoMayBurst) {
    EXPECT_EQ(policed_from("m=audio 4000 RTP/AVP 0").burst_ms, 300);
    EXPECT_EQ(policed_from("m=video 4000 RTP/AVP 96\nb=AS:1000").burst_ms, 1000);
    EXPECT_EQ(stem::sdp::rtcp_packets_for(1000), 20U);
    EXPECT_EQ(stem::sdp::rtcp_packets_for(12'500), 125U);
}

} // namespace
