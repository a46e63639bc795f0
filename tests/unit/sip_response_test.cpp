// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/message.h"

#include "sip_text.h"

#include <gtest/gtest.h>

namespace {

using stem::sip::make_response;
using stem::sip::parse;
using stem::test::crlf;
using stem::test::invite;
using stem::test::with;

TEST(SipResponse, CopiesWhatTheClientMatchesBy) {
    const std::string datagram = invite();
    const auto request = parse(datagram, {});
    ASSERT_TRUE(request);
    EXPECT_EQ(make_response(datagram, *request, 403, stem::sip::phrase_of(403), "stem1"),
              crlf("SIP/2.0 403 Forbidden\n"
                   "Via: SIP/2.0/UDP proxy.example.org:5070;branch=z9hG4bKproxy\n"
                   "Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKphone\n"
                   "From: \"Alice, the first\" <sip:Alice@EXAMPLE.org:5060;user=phone>;tag=a1\n"
                   "To: <sip:bob@example.net>;tag=stem1\n"
                   "Call-ID: c1@192.0.2.1\n"
                   "CSeq: 7 INVITE\n"
                   "Content-Length: 0\n\n"));
}

TEST(SipResponse, TryingHasNoTagAndGivesTheTimestampBack) {
    const std::string datagram = with(invite(), "Max-Forwards", "Timestamp: 54\r\nMax-Forwards");
    const auto request = parse(datagram, {});
    ASSERT_TRUE(request);
    const std::string trying = make_response(datagram, *request, 100, "Trying", "stem1");
    EXPECT_NE(trying.find("Timestamp: 54\r\n"), std::string::npos);
    EXPECT_NE(trying.find("To: <sip:bob@example.net>\r\n"), std::string::npos);
    const std::string busy = make_response(datagram, *request, 486, "Busy Here", "stem1");
    EXPECT_EQ(busy.find("Timestamp"), std::string::npos);
}

TEST(SipResponse, SaysWhenToComeAgain) {
    const std::string datagram = invite();
    const auto request = parse(datagram, {});
    ASSERT_TRUE(request);
    const auto response =
        make_response(datagram, *request, 503, "Service Unavailable", "stem1", std::chrono::seconds(7));
    EXPECT_NE(response.find("\r\nRetry-After: 7\r\n"), std::string::npos);
    EXPECT_EQ(make_response(datagram, *request, 503, "Service Unavailable", "stem1").find("Retry-After"),
              std::string::npos);
}

// libosip2 5.3.0 takes an address of so few octets, but not with our tag behind it.
TEST(SipResponse, OfTheShortestAddressesReadsBack) {
    for (const std::string to : {"sip:a", "<sip:a>", "sip:a   ", "<sip:a:1>", "\"B\" <sip:a>", "tel:1",
                                 "sip:a;x=y", "<sip:a>;x=y", "<sip:a;x>", "sip:[::]"}) {
        const std::string datagram = with(invite(), "<sip:bob@example.net>\r\n", to + "\r\n");
        const auto request = parse(datagram, {});
        ASSERT_TRUE(request) << to << ": " << request.error().what;
        const auto response = parse(make_response(datagram, *request, 403, "Forbidden", "stem1"), {});
        ASSERT_TRUE(response) << to << ": " << response.error().what;
        EXPECT_EQ(response->to_tag, "stem1") << to;
        EXPECT_EQ(response->to.text, request->to.text) << to;
        EXPECT_EQ(response->from_tag, "a1") << to;
    }
}

TEST(SipResponse, ATagThatIsThereStays) {
    const std::string datagram =
        with(invite(), "<sip:bob@example.net>\r\n", "<sip:bob@example.net>;tag=b2  \r\n");
    const auto request = parse(datagram, {});
    ASSERT_TRUE(request);
    const std::string response = make_response(datagram, *request, 481, stem::sip::phrase_of(481), "stem1");
    const auto read = parse(response, {});
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->to_tag, "b2");
    EXPECT_EQ(read->status, 481);
}

TEST(SipResponse, CompactAndFoldedHeadersGoAsTheyCame) {
    const std::string datagram = with(invite(), "To: <sip:bob@example.net>", "t:\r\n <sip:bob@example.net> ");
    const auto request = parse(datagram, {});
    ASSERT_TRUE(request) << request.error().what;
    const std::string response = make_response(datagram, *request, 603, "Decline", "x");
    EXPECT_NE(response.find("t:\r\n <sip:bob@example.net>;tag=x\r\n"), std::string::npos);
    const auto read = parse(response, {});
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->to_tag, "x");
    EXPECT_EQ(read->vias.size(), 2U);
}

TEST(SipResponse, APhraseCannotEndItsLine) {
    const std::string datagram = invite();
    const std::string response =
        make_response(datagram, *parse(datagram, {}), 403, "No\r\nX-Injected: 1", "x");
    EXPECT_TRUE(response.starts_with("SIP/2.0 403 No  X-Injected: 1\r\nVia:"));
}

TEST(SipResponse, NothingAnswersAResponse) {
    const std::string datagram =
        with(invite(), "INVITE sip:bob@example.net;transport=udp SIP/2.0", "SIP/2.0 200 OK");
    const auto response = parse(datagram, {});
    ASSERT_TRUE(response);
    EXPECT_EQ(make_response(datagram, *response, 400, "Bad Request", "x"), "");
}

TEST(SipResponse, Phrases) {
    EXPECT_EQ(stem::sip::phrase_of(100), "Trying");
    EXPECT_EQ(stem::sip::phrase_of(606), "Not Acceptable");
    EXPECT_EQ(stem::sip::phrase_of(499), "Rejected");
}

} // namespace
