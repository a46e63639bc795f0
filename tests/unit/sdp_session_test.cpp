// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/session.h"

#include "sip_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using stem::sdp::Direction;
using stem::sdp::Limits;
using stem::sdp::parse;
using stem::sdp::Session;
using stem::test::crlf;
using testing::HasSubstr;

// A session whose lines up to the first m= are given.
std::string described(std::string_view lines) {
    return crlf("v=0\no=- 1 2 IN IP4 192.0.2.1\ns=-\n" + std::string(lines));
}

Session session(const std::string& body) {
    auto result = parse(body, {});
    EXPECT_TRUE(result) << result.error().what;
    return result.value_or(Session{});
}

void expect_rejected(const std::string& body, std::string_view words) {
    const auto result = parse(body, {});
    ASSERT_FALSE(result) << body;
    EXPECT_EQ(result.error().reason, STEM_SDP_MALFORMED);
    EXPECT_THAT(result.error().what, HasSubstr(words));
}

TEST(SdpSession, AudioOffer) {
    const Session read = session(
        crlf("v=0\no=alice 2890844526 2890844527 IN IP4 host.example.org\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
             "m=audio 49170 RTP/AVP 0 18 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 "
             "0-15\na=ptime:20\na=maxptime:40\n"));
    EXPECT_EQ(read.version, 2890844527U);
    ASSERT_EQ(read.media.size(), 1U);
    const auto& media = read.media[0];
    EXPECT_EQ(media.kind, "audio");
    EXPECT_EQ(media.protocol, "RTP/AVP");
    EXPECT_TRUE(media.is_rtp());
    EXPECT_EQ(media.port, 49170);
    EXPECT_EQ(media.rtcp_port, 49171);
    EXPECT_EQ(media.address.to_string(), "192.0.2.1");
    EXPECT_EQ(media.direction, Direction::sendrecv);
    EXPECT_EQ(media.ptime_ms, 20U);
    EXPECT_EQ(media.maxptime_ms, 40U);
    ASSERT_EQ(media.formats.size(), 3U);
    EXPECT_EQ(media.formats[0].encoding, "PCMU");
    EXPECT_EQ(media.formats[1].encoding, "G729");
    EXPECT_EQ(media.formats[2].encoding, "TELEPHONE-EVENT");
    EXPECT_EQ(media.formats[2].parameters, "0-15");
    EXPECT_EQ(media.formats[2].clock_rate, 8000U);
}

TEST(SdpSession, MediaLinesSpeakForThemselves) {
    const Session read = session(
        described("c=IN IP4 192.0.2.1\nb=AS:128\nb=RS:100\na=sendonly\nt=0 0\n"
                  "m=audio 5000 RTP/SAVP 0\n"
                  "m=Video 5002/2 rtp/avpf 96\nc=IN IP6 "
                  "2001:db8::7\nb=AS:500\nb=TIAS:450000\nb=RR:300\na=recvonly\na=rtpmap:96 VP8/90000\n"
                  "a=rtcp:6001 IN IP6 2001:db8::8\na=rtcp-mux\n"
                  "m=image 5004 udptl t38\n"
                  "m=audio 0 RTP/AVP 8\n"));
    ASSERT_EQ(read.media.size(), 4U);
    EXPECT_EQ(read.media[0].direction, Direction::sendonly);
    EXPECT_EQ(read.media[0].as_kbps, 128U);
    EXPECT_FALSE(read.media[0].rtcp_bps); // RS alone does not say it
    const auto& video = read.media[1];
    EXPECT_EQ(video.kind, "video");
    EXPECT_EQ(video.protocol, "RTP/AVPF");
    EXPECT_EQ(video.address.to_string(), "2001:db8::7");
    EXPECT_EQ(video.as_kbps, 500U);
    EXPECT_EQ(video.tias_bps, 450000U);
    EXPECT_EQ(video.rtcp_bps, 400U);
    EXPECT_EQ(video.direction, Direction::recvonly);
    EXPECT_EQ(video.rtcp_port, 6001);
    EXPECT_EQ(video.rtcp_address->to_string(), "2001:db8::8");
    EXPECT_TRUE(video.rtcp_mux);
    EXPECT_FALSE(read.media[2].is_rtp());
    EXPECT_TRUE(read.media[2].formats.empty());
    EXPECT_EQ(read.media[2].rtcp_port, 0);
    EXPECT_EQ(read.media[3].port, 0);
    EXPECT_EQ(read.media[3].rtcp_port, 0);
}

// Each of these comes from phones in use, and libosip2 refuses it.
TEST(SdpSession, WhatPhonesSendIsBorne) {
    for (const std::string_view body : {
             "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP "
             "0",
             "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n",
             "v=0\r\ns=\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\ny=0100000001\r\nf=v/2/4\r\n",
             "v=0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\nc=IN IP4 192.0.2.1\r\n",
             "v=0\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio  4000  RTP/AVP  0 \r\n\r\n\r\n",
             "v=0 \r\no=\r\nc=IN IP4 192.0.2.1 \r\nm=audio 4000 RTP/AVP 0 0\r\na=rtpmap:x\r\na=rtpmap:200 "
             "PCMU\r\na=fmtp\r\nb=AS\r\nb=AS:much\r\na=ptime:\r\n",
         }) {
        const Session read = session(std::string(body));
        ASSERT_EQ(read.media.size(), 1U) << body;
        EXPECT_EQ(read.media[0].port, 4000);
        EXPECT_EQ(read.media[0].address.to_string(), "192.0.2.1");
        ASSERT_EQ(read.media[0].formats.size(), 1U);
        EXPECT_EQ(read.media[0].formats[0].encoding, "PCMU");
    }
}

TEST(SdpSession, AddressesAreNumbers) {
    const auto with_address = [](std::string_view line) {
        return described(std::string(line) + "\nm=audio 4000 RTP/AVP 0\n");
    };
    expect_rejected(with_address("c=IN IP4 host.example.org"),
                    "line 4: 'c=IN IP4 host.example.org': no address: host names are refused");
    expect_rejected(with_address("c=IN IP4"), "line 4");
    expect_rejected(with_address("c=IN IP4 192.0.2.256"), "line 4");
    expect_rejected(with_address("c=IN IP4 2001:db8::1"), "IPv6 address called IP4");
    expect_rejected(with_address("c=IN IP6 192.0.2.1"), "IPv4 address called IP6");
    expect_rejected(with_address("c=ATM NSAP 47.0091"), "line 4");
    expect_rejected(with_address("c=IN IP4 192.0.2.1\nc=IN IP4 192.0.2.2"), "line 5");
    expect_rejected(with_address("a=x"), "no c= line");
    expect_rejected(described("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=rtcp:5 IN IP4 host\n"),
                    "host names");
    EXPECT_EQ(session(with_address("c=IN IP6 2001:DB8::1")).media.at(0).address.to_string(), "2001:db8::1");
    EXPECT_EQ(session(with_address("c=IN IP6 [2001:db8::1]")).media.at(0).address.to_string(), "2001:db8::1");
    EXPECT_EQ(session(with_address("c=IN IP6 ::ffff:192.0.2.2")).media.at(0).address.to_string(),
              "192.0.2.2");
    EXPECT_EQ(session(with_address("c=IN IP4 224.2.1.1/127/3")).media.at(0).address.to_string(), "224.2.1.1");
}

TEST(SdpSession, MalformedIsNamedByLine) {
    expect_rejected("", "empty");
    expect_rejected("\r\n", "empty");
    expect_rejected("v=1\r\n", "v=0");
    expect_rejected("o=- 1 1 IN IP4 192.0.2.1\r\nv=0\r\n", "line 1");
    expect_rejected("v=0\r\nhello\r\n", "line 2: 'hello'");
    expect_rejected("v=0\r\n m=audio\r\n", "line 2");
    expect_rejected("v=0\r\nv=0\r\n", "second description");
    expect_rejected("v=0\r\na=x\ry\r\n", "CR without LF");
    expect_rejected(std::string("v=0\r\na=\0\r\n", 10), "NUL");
    for (const std::string_view line :
         {"m=audio", "m=audio 99999 RTP/AVP 0", "m=audio -1 RTP/AVP 0", "m=audio 4000",
          "m=audio 4000 RTP/AVP", "m=audio 4000 RTP/AVP 128", "m=audio 4000 RTP/AVP x",
          "m=audio 4000/x RTP/AVP 0", "m=audio 4000 RTP/AVP 0\na=rtcp:65536",
          "m=audio 4000 RTP/AVP 0\na=rtcp:x"}) {
        expect_rejected(described("c=IN IP4 192.0.2.1\n" + std::string(line) + "\n"), "line ");
    }
    const auto shown = parse("v=0\r\n\x1b[31m\r\n", {});
    ASSERT_FALSE(shown);
    EXPECT_THAT(shown.error().what, HasSubstr("'?[31m'"));
}

TEST(SdpSession, CapsHold) {
    const auto many = [](std::string_view line, int times) {
        std::string body = described("c=IN IP4 192.0.2.1\n");
        for (int time = 0; time < times; ++time) {
            body += line;
        }
        return body;
    };
    EXPECT_EQ(session(many("m=audio 4000 RTP/AVP 0\r\n", 16)).media.size(), 16U);
    expect_rejected(many("m=audio 4000 RTP/AVP 0\r\n", 17), "more than 16 m= lines");
    expect_rejected(many("a=x\r\n", 260), "more than 256 lines");
    expect_rejected(described("a=" + std::string(1100, 'x') + "\n"), "longer than 1024");
    expect_rejected(std::string(7000, 'v'), "7000 octets");
    std::string formats = "m=audio 4000 RTP/AVP";
    for (int type = 0; type < 33; ++type) {
        formats += " " + std::to_string(type);
    }
    expect_rejected(described("c=IN IP4 192.0.2.1\n" + formats + "\n"), "more than 32 payload types");
}

TEST(SdpSession, TheLastPortHasNoRtcpBesideIt) {
    EXPECT_EQ(session(described("c=IN IP4 192.0.2.1\nm=audio 65535 RTP/AVP 0\n")).media.at(0).rtcp_port, 0);
    EXPECT_EQ(session(described("c=IN IP4 192.0.2.1\nm=audio 4001 RTP/AVP 0\n")).media.at(0).rtcp_port, 4002);
}

Session with_media(std::string_view attributes) {
    return session(described("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/SAVPF 0\n" + std::string(attributes)));
}

TEST(SdpSession, CandidatesAreRankedAndBounded) {
    const Session read =
        with_media("a=ice-ufrag:8hhY\n"
                   "a=candidate:1 2 UDP 900 192.0.2.1 4001 typ host\n"
                   "a=candidate:1 1 UDP 100 192.0.2.9 4009 typ relay raddr 192.0.2.1 rport 4000\n"
                   "a=candidate:2 1 udp 2130706431 2001:db8::7 4000 typ host\n"
                   "a=candidate:3 1 UDP 500 198.51.100.3 45664 typ srflx raddr 10.0.0.1 rport 8998\n"
                   "a=candidate:3 1 UDP 400 198.51.100.3 45664 typ srflx\n"
                   "a=candidate:4 1 UDP 300 198.51.100.4 45664 typ srflx\n"
                   "a=candidate:5 2 UDP 300 198.51.100.4 45665 typ srflx\n"
                   "a=candidate:6 2 UDP 200 198.51.100.4 45666 typ srflx\n");
    ASSERT_EQ(read.media.size(), 1U);
    EXPECT_TRUE(read.media[0].ice);
    const auto& kept = read.media[0].candidates;
    ASSERT_EQ(kept.size(), 5U) << "the best three of RTP, and two of RTCP";
    EXPECT_EQ(kept[0].address.to_string(), "2001:db8::7");
    EXPECT_EQ(kept[1].address.to_string(), "198.51.100.3");
    EXPECT_EQ(kept[1].port, 45664);
    EXPECT_EQ(kept[2].address.to_string(), "198.51.100.4");
    EXPECT_EQ(kept[3].component, 2);
    EXPECT_EQ(kept[3].port, 4001);
    EXPECT_EQ(kept[4].port, 45665);
}

TEST(SdpSession, ARepeatedCandidateCountsOnce) {
    const Session read = with_media("a=ice-ufrag:8hhY\n"
                                    "a=candidate:1 1 UDP 900 192.0.2.1 4000 typ host\n"
                                    "a=candidate:2 1 UDP 800 2001:db8::7 4000 typ host\n"
                                    "a=candidate:3 1 UDP 700 192.0.2.1 4000 typ srflx\n"
                                    "a=candidate:4 1 UDP 600 2001:db8::7 4000 typ srflx\n"
                                    "a=candidate:5 1 UDP 500 192.0.2.1 4000 typ host\n"
                                    "a=candidate:6 2 UDP 400 192.0.2.1 4000 typ host\n");
    const auto& kept = read.media.at(0).candidates;
    ASSERT_EQ(kept.size(), 3U);
    EXPECT_EQ(kept[0].priority, 900U);
    EXPECT_EQ(kept[1].priority, 800U);
    EXPECT_EQ(kept[2].component, 2) << "of RTCP it is another";
}

TEST(SdpSession, CandidatesOfNoUseAreLeftOut) {
    for (const std::string_view line :
         {"1 1 TCP 900 192.0.2.1 4001 typ host", "1 3 UDP 900 192.0.2.1 4001 typ host",
          "1 0 UDP 1 192.0.2.1 1 typ host", "1 1 UDP 900 f00d.local 4001 typ host",
          "1 1 UDP 900 192.0.2.1 0 typ host", "1 1 UDP 900 192.0.2.1 65536 typ host",
          "1 1 UDP 4294967295 192.0.2.1 4001 typ host", "1 1 UDP 900 192.0.2.1 4001",
          "1 1 UDP 900 0.0.0.0 4001 typ host", "", "1 1 UDP -1 192.0.2.1 4001 typ host"}) {
        EXPECT_TRUE(with_media("a=ice-ufrag:8hhY\na=candidate:" + std::string(line) + "\n")
                        .media.at(0)
                        .candidates.empty())
            << line;
    }
    const std::string candidate = "a=candidate:1 1 UDP 900 192.0.2.1 4001 typ host\n";
    EXPECT_TRUE(with_media(candidate).media.at(0).candidates.empty()) << "no credentials, no ICE";
    const Session mismatch = with_media("a=ice-ufrag:8hhY\na=ice-mismatch\n" + candidate);
    EXPECT_FALSE(mismatch.media.at(0).ice);
    EXPECT_TRUE(mismatch.media.at(0).candidates.empty());
    const auto none =
        parse(crlf("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\na=ice-ufrag:x\n" + candidate),
              Limits{.candidates = 0});
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->media.at(0).candidates.empty());
}

TEST(SdpSession, TrickleSaysNoPlace) {
    const Session trickle =
        session(crlf("v=0\nc=IN IP4 0.0.0.0\na=ice-ufrag:8hhY\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n"));
    EXPECT_TRUE(trickle.media.at(0).has_no_place_yet());
    EXPECT_TRUE(trickle.media.at(0).ice) << "credentials of the session's are the line's";
    EXPECT_FALSE(
        session(crlf("v=0\nc=IN IP4 0.0.0.0\nm=audio 9 RTP/AVP 0\n")).media.at(0).has_no_place_yet());
}

TEST(SdpSession, BundlesNameTheirLines) {
    const Session read =
        session(described("c=IN IP4 192.0.2.1\na=group:BUNDLE b c gone d\na=group:BUNDLE a\na=group:LS a b\n"
                          "m=audio 4000 RTP/AVP 0\na=mid:a\n"
                          "m=video 0 RTP/AVP 96\na=mid:b\n"
                          "m=video 4004 RTP/AVP 96\na=mid:c\n"
                          "m=video 0 RTP/AVP 96\na=mid:d\na=bundle-only\n"
                          "m=audio 4008 RTP/AVP 0\n"));
    ASSERT_EQ(read.media.size(), 5U);
    EXPECT_EQ(read.media[0].bundle, 0U) << "alone in its group";
    EXPECT_EQ(read.media[1].bundle, std::nullopt) << "refused: it is not bundle-only";
    EXPECT_EQ(read.media[2].bundle, 2U) << "the first that has a port";
    EXPECT_EQ(read.media[3].bundle, 2U);
    EXPECT_EQ(read.media[4].bundle, std::nullopt);
}

} // namespace
