// SPDX-License-Identifier: Apache-2.0
// Session descriptions in bodies of one part and of several.
#include "ctl/sip/mime.h"

#include "sip_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using stem::sip::find_session;
using stem::sip::Limits;
using stem::test::crlf;
using testing::HasSubstr;

const std::string sdp = crlf("v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n");

struct Found {
    std::string text;
    std::string fault;
};

Found found_in(const std::string& body, std::string_view type, std::string_view encoding = "",
               const Limits& limits = {}) {
    const std::string datagram = "ahead" + body;
    const auto span = find_session(datagram, {.offset = 5, .length = body.size()},
                                   {.content_type = type, .content_encoding = encoding}, limits);
    return span ? Found{.text = datagram.substr(span->offset, span->length), .fault = {}}
                : Found{.text = {}, .fault = span.error()};
}

std::string part(const std::string& headers, const std::string& content) {
    return "--b1\r\n" + crlf(headers) + "\r\n" + content + "\r\n";
}

const std::string mixed = "multipart/mixed;boundary=b1";
const std::string end = "--b1--\r\n";
const std::string sdp_part = part("Content-Type: application/sdp\n", sdp);
const std::string isup_part =
    part("Content-Type: application/ISUP;version=nxv3\nContent-Disposition: signal\n",
         std::string("\x01\x00\x49\x00\x00--\r\n\x03", 10));

TEST(Mime, ABodyOfOnePartIsItself) {
    EXPECT_EQ(found_in(sdp, "application/sdp").text, sdp);
    EXPECT_EQ(found_in(sdp, "Application / SDP ; charset=utf-8").text, sdp);
    EXPECT_EQ(found_in(sdp, "application/sdp", "identity").text, sdp);
    for (const char* type :
         {"text/plain", "", "application/dtmf-relay", "message/sipfrag", "applicationsdp"}) {
        const Found nothing = found_in(sdp, type, "gzip"); // not ours to read, in any encoding
        EXPECT_EQ(nothing.text, "") << type;
        EXPECT_EQ(nothing.fault, "") << type;
    }
    EXPECT_EQ(found_in("", "application/sdp").fault, "");
    EXPECT_THAT(found_in(sdp, "application/sdp", "gzip").fault, HasSubstr("encoding 'gzip'"));
}

TEST(Mime, APartIsFoundWhereverItIs) {
    EXPECT_EQ(found_in(sdp_part + end, mixed).text, sdp);
    EXPECT_EQ(found_in(isup_part + sdp_part + end, mixed).text, sdp);
    EXPECT_EQ(found_in("a preamble\r\n" + sdp_part + isup_part + end + "an epilogue", mixed).text, sdp);
    EXPECT_EQ(found_in(isup_part + end, mixed).text, "");
    EXPECT_EQ(found_in(isup_part + end, mixed).fault, "");
    EXPECT_EQ(
        found_in(sdp_part + "--b1--", "multipart/related; type=\"application/sdp\"; Boundary = \"b1\"").text,
        sdp);
    EXPECT_EQ(found_in(part("c: application/sdp\nContent-Transfer-Encoding: 8bit\n", sdp) + end, mixed).text,
              sdp);
    EXPECT_EQ(found_in(part("Content-Type:\n application/sdp\n", sdp) + end, mixed).text, sdp);
    EXPECT_EQ(found_in("--b1 \t\r\n" + sdp_part.substr(6) + end, mixed).text, sdp)
        << "blanks behind a boundary";
    EXPECT_EQ(found_in("--b1x\r\n" + sdp_part + end, mixed).text, sdp) << "a longer boundary is another's";
    EXPECT_EQ(found_in(part("", "text/plain by default") + sdp_part + end, mixed).text, sdp);
    // Bare LF, as some write it.
    EXPECT_EQ(found_in("--b1\nContent-Type: application/sdp\n\nv=0\n--b1--\n", mixed).text, "v=0");
}

TEST(Mime, PartsWithinPartsAreWalkedOnce) {
    const std::string inner = "--in\r\nContent-Type: application/sdp\r\n\r\n" + sdp + "\r\n--in--\r\n";
    const std::string outer =
        part("Content-Type: multipart/alternative;boundary=in\n", inner) + isup_part + end;
    EXPECT_EQ(found_in(outer, mixed).text, sdp);
    const std::string deeper = "--o\r\nContent-Type: " + mixed + "\r\n\r\n" + outer + "\r\n--o--\r\n";
    EXPECT_THAT(found_in(deeper, "multipart/mixed;boundary=o").fault, HasSubstr("parts within parts"));
}

TEST(Mime, WhatReadersWouldNotAgreeOnIsAFault) {
    EXPECT_THAT(found_in(sdp_part + sdp_part + end, mixed).fault, HasSubstr("two session descriptions"));
    EXPECT_THAT(found_in(sdp_part, mixed).fault, HasSubstr("last boundary"));
    EXPECT_THAT(found_in(sdp, mixed).fault, HasSubstr("last boundary"));
    for (const char* type : {"multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=\"b1",
                             "multipart/mixed;boundary=b1;boundary=b2",
                             "multipart/mixed;boundary="
                             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}) {
        EXPECT_THAT(found_in(sdp_part + end, type).fault, HasSubstr("bound")) << type;
    }
    EXPECT_THAT(
        found_in(part("Content-Type: application/sdp\nContent-Transfer-Encoding: base64\n", "dj0w") + end,
                 mixed)
            .fault,
        HasSubstr("transfer encoding 'base64'"));
    EXPECT_THAT(
        found_in(part("Content-Type: application/sdp\nContent-Encoding: deflate\n", sdp) + end, mixed).fault,
        HasSubstr("encoding 'deflate'"));
    EXPECT_THAT(found_in("--b1\r\nContent-Type: application/sdp\r\n--b1--\r\n", mixed).fault,
                HasSubstr("empty line"));
    EXPECT_THAT(found_in(sdp_part + end, mixed, "gzip").fault, HasSubstr("gzip"));
}

TEST(Mime, EarlySessionsAreAnothers) { // RFC 3959
    const std::string early =
        part("Content-Type: application/sdp\nContent-Disposition: early-session\n", "v=0\r\nearly");
    EXPECT_EQ(found_in(early + sdp_part + end, mixed).text, sdp);
}

TEST(Mime, CapsHold) {
    std::string many;
    for (int n = 0; n < 8; n++) {
        many += isup_part;
    }
    EXPECT_EQ(found_in(many + end, mixed).fault, "");
    EXPECT_THAT(found_in(many + sdp_part + end, mixed).fault, HasSubstr("more than 8 parts"));
    EXPECT_THAT(found_in(part("X: " + std::string(2000, 'x') + "\n", "") + end, mixed).fault,
                HasSubstr("1024 octets"));
}

} // namespace
