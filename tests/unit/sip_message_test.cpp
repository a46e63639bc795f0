// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/message.h"

#include "sip_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace {

using stem::sip::Limits;
using stem::sip::Method;
using stem::sip::parse;
using stem::sip::parse_uri;
using stem::test::crlf;
using stem::test::invite;
using stem::test::with;
using testing::HasSubstr;

void expect_rejected(const std::string& datagram, stem_reason reason, std::string_view words,
                     const Limits& limits = {}) {
    const auto message = parse(datagram, limits);
    ASSERT_FALSE(message) << "let through: " << datagram.substr(0, 200);
    EXPECT_EQ(message.error().reason, reason) << message.error().what;
    EXPECT_THAT(message.error().what, HasSubstr(words));
}

void expect_malformed(const std::string& datagram, std::string_view words) {
    expect_rejected(datagram, STEM_SIP_MALFORMED, words);
}

void expect_over_limit(const std::string& datagram, std::string_view words) {
    expect_rejected(datagram, STEM_SIP_OVER_LIMIT, words);
}

// The INVITE with a line more, after Max-Forwards.
std::string invite_and(std::string_view line) {
    return with(invite(), "Max-Forwards: 69\r\n", "Max-Forwards: 69\r\n" + std::string(line));
}

std::string repeated(std::string_view text, int times) {
    std::string result;
    for (int time = 0; time < times; ++time) {
        result += text;
    }
    return result;
}

TEST(SipMessage, RequestIsReadWhole) {
    const std::string datagram = invite();
    const auto message = parse(datagram, {});
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_TRUE(message->request);
    EXPECT_EQ(message->method, Method::invite);
    EXPECT_EQ(message->method_name, "INVITE");
    EXPECT_EQ(message->request_uri.text, "sip:bob@example.net;transport=udp");
    EXPECT_EQ(datagram.substr(message->request_uri_span.offset, message->request_uri_span.length),
              message->request_uri.text);
    EXPECT_EQ(message->call_id, "c1@192.0.2.1");
    EXPECT_EQ(message->from.user, "Alice");
    EXPECT_EQ(message->from.host, "example.org");
    EXPECT_EQ(message->from.text, "sip:Alice@EXAMPLE.org:5060;user=phone");
    EXPECT_EQ(message->from.address_of_record(), "sip:Alice@example.org");
    EXPECT_EQ(message->from_tag, "a1");
    EXPECT_EQ(message->to.user, "bob");
    EXPECT_EQ(message->to_tag, "");
    EXPECT_EQ(message->cseq, 7U);
    ASSERT_EQ(message->vias.size(), 2U);
    EXPECT_EQ(message->vias[0].transport, "UDP");
    EXPECT_EQ(message->vias[0].host, "proxy.example.org");
    EXPECT_EQ(message->vias[0].port, 5070);
    EXPECT_EQ(message->vias[0].branch, "z9hG4bKproxy");
    EXPECT_EQ(message->vias[1].host, "2001:db8::9");
    EXPECT_EQ(message->vias[1].port, 0);
    ASSERT_EQ(message->contacts.size(), 1U);
    EXPECT_EQ(message->contacts[0].uri.port, 5062);
    EXPECT_EQ(message->contacts[0].expires, 60U);
    EXPECT_EQ(message->session_expires, 1800U);
    EXPECT_FALSE(message->expires);
    EXPECT_EQ(message->user_agent, "phone/1.0");
    EXPECT_EQ(message->content_type, "application/sdp");
    EXPECT_TRUE(message->has_sdp());
    EXPECT_EQ(message->body_of(datagram), "v=0\r\n");
}

TEST(SipMessage, ResponseTakesItsMethodFromCseq) {
    const auto message = parse(crlf("SIP/2.0 183 Session Progress\n"
                                    "v: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\n"
                                    "f: <sip:a@example.org>;tag=1\n"
                                    "t: sip:b@example.org;tag=2\n"
                                    "i: x\n"
                                    "CSeq: 2147483647 INVITE\n"
                                    "m: <sip:b@[2001:db8::2]:5080>\n"
                                    "RSeq: 988789\n"
                                    "l: 0\n\n"),
                               {});
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_FALSE(message->request);
    EXPECT_EQ(message->status, 183);
    EXPECT_EQ(message->method, Method::invite);
    EXPECT_EQ(message->cseq, 0x7fffffffU);
    EXPECT_EQ(message->to.text, "sip:b@example.org");
    EXPECT_EQ(message->to_tag, "2");
    EXPECT_EQ(message->contacts.at(0).uri.host, "2001:db8::2");
    EXPECT_EQ(message->contacts.at(0).uri.port, 5080);
    EXPECT_EQ(message->rseq, 988789U);
    EXPECT_EQ(message->vias.at(0).transport, "TCP");
    EXPECT_EQ(message->body.length, 0U);
}

TEST(SipMessage, CompactFormsAreTheirLongOnes) {
    std::string datagram = invite();
    for (const auto& [name, compact] : std::vector<std::pair<std::string, std::string>>{
             {"\nVia:", "\nv :"},
             {"\nFrom:", "\nF:"},
             {"\nTo:", "\nt\t:"},
             {"\nCall-ID:", "\ni:"},
             {"\nContact:", "\nm:"},
             {"\nSession-Expires:", "\nx:"},
             {"\nContent-Type:", "\nc:"},
             {"\nContent-Length:", "\nl:"},
         }) {
        datagram = with(datagram, name, compact);
    }
    datagram = with(datagram, "Max-Forwards",
                    "s: u\r\nk: timer\r\ne: gzip\r\nr: <sip:c@example.org>\r\nb: <sip:d@example.org>\r\n"
                    "o: presence\r\nu: dialog\r\nMax-Forwards");
    const auto message = parse(datagram, {});
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_EQ(message->vias.size(), 2U);
    EXPECT_EQ(message->session_expires, 1800U);
    EXPECT_TRUE(message->has_sdp());
    expect_malformed(with(datagram, "s: u", "Call-ID: other"), "two Call-ID headers");
}

TEST(SipMessage, FoldedHeadersAreUnfolded) {
    std::string datagram = with(invite(), "Call-ID: c1@192.0.2.1", "Call-ID:\r\n\tc1@192.0.2.1");
    datagram = with(datagram, "<sip:bob@example.net>\r\n", "<sip:bob@example.net>\r\n ;\r\n  tag = b2\r\n");
    datagram = with(datagram, "CSeq: 7 INVITE", "CSeq: 0007\r\n INVITE");
    const auto message = parse(datagram, {});
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_EQ(message->call_id, "c1@192.0.2.1");
    EXPECT_EQ(message->to_tag, "b2");
    EXPECT_EQ(message->cseq, 7U);
    expect_malformed(with(invite(), "CSeq: 7 INVITE", "CSeq: 7 INVITE\r\n \t\r\n x"), "white space");
    expect_malformed(with(invite(), "SIP/2.0\r\n", "SIP/2.0\r\n folded\r\n"), "no header name");
}

TEST(SipMessage, FlagsOfHeadersThatAreOnlySeen) {
    const auto message = parse(invite_and("Proxy-Authorization: Digest username=\"a\"\r\nReplaces: "
                                          "x;to-tag=1;from-tag=2\r\nExpires: 99999999999\r\n"),
                               {});
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_TRUE(message->authorized);
    EXPECT_TRUE(message->replaces);
    EXPECT_EQ(message->expires, 0xffffffffU);
}

TEST(SipMessage, OnlyCrlfEndsALine) {
    expect_malformed(with(invite(), "Max-Forwards: 69\r\n", "Max-Forwards: 69\n"), "LF without CR");
    expect_malformed(with(invite(), "Max-Forwards: 69\r\n", "Max-Forwards: 69\rX-Hidden: 1\r\n"),
                     "CR without LF");
    expect_malformed(with(invite(), "SIP/2.0\r\n", "SIP/2.0\n"), "LF without CR");
    expect_malformed(with(invite(), "phone/1.0", std::string("ph\0ne", 5)), "octet 0x00");
    expect_malformed(with(invite(), "phone/1.0", "ph\x01ne"), "octet 0x01");
    expect_malformed(invite().substr(0, invite().find("\r\n\r\n") + 2), "no line end");
    expect_malformed("", "no line end");
    expect_malformed("\r\n\r\n", "no line end");
}

TEST(SipMessage, LeadingLineEndsCountForNothing) {
    const std::string datagram = "\r\n\r\n" + invite();
    const auto message = parse(datagram, {});
    ASSERT_TRUE(message) << message.error().what;
    EXPECT_EQ(datagram.substr(message->request_uri_span.offset, message->request_uri_span.length),
              "sip:bob@example.net;transport=udp");
    EXPECT_EQ(message->body_of(datagram), "v=0\r\n");
}

TEST(SipMessage, StartLineIsExact) {
    const std::string line = "INVITE sip:bob@example.net;transport=udp SIP/2.0";
    for (const std::string_view bad : {
             "INVITE  sip:bob@example.net SIP/2.0",
             "INVITE sip:bob@example.net  SIP/2.0",
             "INVITE sip:bob@example.net SIP/2.0 ",
             " INVITE sip:bob@example.net SIP/2.0",
             "INVITE <sip:bob@example.net> SIP/2.0",
             "INVITE sip:bob@example.net; lr SIP/2.0",
             "INVITE sip:bob@example.net SIP/7.0",
             "INVITE sip:bob@example.net SIP/2.00",
             "INV@TE sip:bob@example.net SIP/2.0",
             "INVITE bob@example.net SIP/2.0",
             "INVITE sip: SIP/2.0",
             "INVITE sip:2001:db8::10 SIP/2.0",
             "INVITE sip:bob@evil.example@example.net SIP/2.0",
             "INVITE SIP/2.0",
             "INVITE\tsip:bob@example.net\tSIP/2.0",
         }) {
        const auto message = parse(with(invite(), line, bad), {});
        ASSERT_FALSE(message) << bad;
        EXPECT_EQ(message.error().reason, STEM_SIP_MALFORMED) << bad;
    }
    for (const std::string_view good :
         {"INVITE soap.beep://192.0.2.103:3002 SIP/2.0", "INVITE nobodyKnowsThisScheme:totallyopaque SIP/2.0",
          "INVITE tel:+1-555-0100 SIP/2.0", "INVITE sips:[2001:db8::1]:5071 SIP/2.0",
          "INVITE sip:bob@example.net sip/2.0"}) {
        const auto message = parse(with(invite(), line, good), {});
        EXPECT_TRUE(message) << good << ": " << message.error().what;
    }
}

TEST(SipMessage, StatusIsThreeDigitsFrom100To699) {
    const std::string response =
        with(invite(), "INVITE sip:bob@example.net;transport=udp SIP/2.0", "SIP/2.0 200 OK");
    ASSERT_TRUE(parse(response, {}));
    EXPECT_EQ(parse(with(response, "200 OK", "699 "), {})->status, 699);
    for (const std::string_view bad :
         {"4294967301 better", "20 OK", "099 low", "700 high", "200OK", "-12 x", "2x0 OK"}) {
        expect_malformed(with(response, "200 OK", bad), "status");
    }
}

TEST(SipMessage, MandatoryHeadersAreThereOnce) {
    for (const std::string_view line :
         {"From: \"Alice, the first\" <sip:Alice@EXAMPLE.org:5060;user=phone>;tag=a1\r\n",
          "To: <sip:bob@example.net>\r\n", "Call-ID: c1@192.0.2.1\r\n", "CSeq: 7 INVITE\r\n"}) {
        const std::string name(line.substr(0, line.find(':')));
        expect_malformed(with(invite(), line, ""), "no " + name + " header");
        expect_malformed(invite_and(line), "two " + name + " headers");
    }
    const std::string no_via =
        with(with(invite(), "Via: SIP/2.0/UDP proxy.example.org:5070;branch=z9hG4bKproxy\r\n", ""),
             "Via: SIP/2.0/UDP [2001:db8::9];branch=z9hG4bKphone\r\n", "");
    expect_malformed(no_via, "no Via header");
    expect_malformed(invite_and("Max-Forwards: 5\r\n"), "two Max-Forwards headers");
    expect_malformed(invite_and("l: 5\r\n"), "two Content-Length headers");
    expect_malformed(invite_and("c: text/plain\r\n"), "two Content-Type headers");
    expect_malformed(invite_and("Expires: 5\r\nExpires: 5\r\n"), "two Expires headers");
}

TEST(SipMessage, NumbersAreInRange) {
    for (const std::string_view bad :
         {"CSeq: 2147483648 INVITE", "CSeq: 36893488147419103232 INVITE", "CSeq: -1 INVITE", "CSeq: 7",
          "CSeq: INVITE", "CSeq: 7INVITE", "CSeq: 7 INVITE x", "CSeq: 7 BYE", "CSeq: 7 invite"}) {
        expect_malformed(with(invite(), "CSeq: 7 INVITE", bad), "CSeq");
    }
    for (const std::string_view bad :
         {"Content-Length: 6", "Content-Length: -5", "Content-Length: 4294967301", "Content-Length: 5 5",
          "Content-Length: 0x5", "Content-Length: 18446744073709551621", "Content-Length:"}) {
        expect_malformed(with(invite(), "Content-Length: 5", bad), "Content-Length");
    }
    for (const std::string_view bad : {"Max-Forwards: 256", "Max-Forwards: -1", "Max-Forwards: x"}) {
        expect_malformed(with(invite(), "Max-Forwards: 69", bad), "Max-Forwards");
    }
    EXPECT_TRUE(parse(with(invite(), "Max-Forwards: 69", "Max-Forwards: 0"), {}));
    expect_malformed(with(invite(), "Session-Expires: 1800", "Session-Expires: soon"), "Session-Expires");
    expect_malformed(with(invite(), "Application/SDP", "sdp"), "Content-Type");
}

TEST(SipMessage, BodyEndsWhereItIsSaid) {
    const std::string shorter = with(invite(), "Content-Length: 5", "Content-Length: 3");
    EXPECT_EQ(parse(shorter, {})->body_of(shorter), "v=0");
    const std::string unsaid = with(invite(), "Content-Length: 5\r\n", "");
    EXPECT_EQ(parse(unsaid, {})->body_of(unsaid), "v=0\r\n");
    const std::string binary = with(invite(), "v=0\r\n", std::string("\0\xff\n\r\0", 5));
    EXPECT_EQ(parse(binary, {})->body_of(binary), std::string_view("\0\xff\n\r\0", 5));
}

TEST(SipMessage, IdentifiersAreOneAndPlain) {
    expect_malformed(with(invite(), ";tag=a1", ";tag=a1;tag=a2"), "two tag");
    expect_malformed(with(invite(), ";tag=a1", ";tag=a1;x=y;TAG=a2"), "two tag");
    expect_malformed(with(invite(), ";tag=a1", ";tag"), "tag without a value");
    expect_malformed(with(invite(), ";tag=a1", ";tag=\"a1\""), "no token");
    expect_malformed(with(invite(), ";branch=z9hG4bKproxy", ";branch=z9hG4bKproxy;branch=z"), "two branch");
    expect_malformed(with(invite(), "<sip:bob@example.net>\r\n", "<sip:bob@example.net>;x=\r\n"),
                     "cut short");
    expect_malformed(with(invite(), "<sip:bob@example.net>\r\n", "<sip:bob@example.net>;\r\n"), "cut short");
    expect_malformed(with(invite(), "c1@192.0.2.1", "c 1"), "Call-ID");
    expect_malformed(with(invite(), "c1@192.0.2.1", "c,1"), "Call-ID");
    expect_malformed(with(invite(), "Call-ID: c1@192.0.2.1", "Call-ID:"), "Call-ID");
    EXPECT_TRUE(parse(with(invite(), "c1@192.0.2.1", std::string(255, 'c')), {}));
    expect_over_limit(with(invite(), "c1@192.0.2.1", std::string(256, 'c')), "Call-ID of 256");
    expect_over_limit(with(invite(), "tag=a1", "tag=" + std::string(128, 'a')), "tag of 128");
    expect_over_limit(with(invite(), "z9hG4bKproxy", std::string(128, 'a')), "branch of 128");
}

TEST(SipMessage, AddressesPair) {
    const std::string contact = "<sip:alice@192.0.2.1:5062>;expires=60";
    for (const std::string_view bad :
         {"<sip:alice@192.0.2.1", "sip:alice@192.0.2.1>", "\"Alice <sip:alice@192.0.2.1>",
          "<<sip:alice@192.0.2.1>>", "<sip:alice@192.0.2.1>,", ",<sip:alice@192.0.2.1>",
          "<sip:a@192.0.2.1><sip:b@192.0.2.1>", "<sip:alice@192.0.2.1:99999>", "<192.0.2.1>",
          "<sip:alice@192.0.2.1>;expires=1;expires=2", "<sip:alice@192.0.2.1>;q=1;q=0.5"}) {
        const auto message = parse(with(invite(), contact, bad), {});
        EXPECT_FALSE(message) << bad;
    }
    const auto two = parse(with(invite(), contact,
                                "\"a \\\" , <\" <sip:a@192.0.2.1;x=1>;expires=1;q=0.25, "
                                "<sip:b@[2001:db8::1]>;expires=soon;q=1.5"),
                           {});
    ASSERT_TRUE(two) << two.error().what;
    ASSERT_EQ(two->contacts.size(), 2U);
    EXPECT_EQ(two->contacts[0].expires, 1U);
    EXPECT_EQ(two->contacts[1].uri.host, "2001:db8::1");
    EXPECT_FALSE(two->contacts[1].expires);
    EXPECT_EQ(two->contacts[0].q, stem::QValue::from_thousandths(250));
    EXPECT_FALSE(two->contacts[1].q) << "no qvalue: as if it were not said";
    const auto all = parse(with(invite(), contact, "*"), {});
    ASSERT_TRUE(all) << all.error().what;
    EXPECT_TRUE(all->contacts.at(0).wildcard);
}

// The longer address that libosip2 gets in place of one is seen nowhere.
TEST(SipMessage, ShortAddressesStandInAnyList) {
    const auto message = parse(with(invite(), "Max-Forwards",
                                    "Contact: <sip:a>;expires=7, sip:b;q=0.5,<sip:c>;q=1\r\n"
                                    "Contact: sip:d:5;expires=8\r\nRoute: <sip:r>;lr, <sip:e;lr>\r\n"
                                    "Max-Forwards"),
                               {});
    ASSERT_TRUE(message) << message.error().what;
    const auto& contacts = message->contacts;
    ASSERT_EQ(contacts.size(), 5U) << "these, and the call's own";
    EXPECT_EQ(contacts[0].uri.host, "a");
    EXPECT_EQ(contacts[0].expires, 7U);
    EXPECT_EQ(contacts[1].uri.host, "b");
    EXPECT_EQ(contacts[1].q, stem::QValue::parse("0.5"));
    EXPECT_EQ(contacts[2].uri.host, "c");
    EXPECT_EQ(contacts[2].q, stem::QValue::parse("1"));
    EXPECT_EQ(contacts[3].uri.text, "sip:d:5");
    EXPECT_EQ(contacts[3].uri.port, 5);
    EXPECT_EQ(contacts[3].expires, 8U);
    // Nor does it make an address of what is none.
    for (const std::string bad : {"<a>", "<sip:>", "<:a>", "<>", "sip:a?"}) {
        const auto none =
            parse(with(invite(), "Max-Forwards", "Contact: " + bad + ";q=1\r\nMax-Forwards"), {});
        ASSERT_FALSE(none) << bad;
        EXPECT_EQ(none.error().reason, STEM_SIP_MALFORMED) << bad;
    }
}

TEST(SipMessage, ViasAreChecked) {
    for (const std::string_view bad : {"Via: SIP/3.0/UDP 192.0.2.1", "Via: SIP/2.0/UDP",
                                       "Via: SIP/2.0/UDP 192.0.2.1:0", "Via: SIP/2.0/UDP 192.0.2.1:70000",
                                       "Via:", "Via: ,", "Via: SIP/2.0/UDP 192.0.2.1,", "Via: HTTP/1.1"}) {
        EXPECT_FALSE(parse(invite_and(std::string(bad) + "\r\n"), {})) << bad;
    }
}

// sip.md's crafted messages: each cost a raw libosip2 time that grows with the square of the length.
TEST(SipMessage, CapsStopWhatWouldCostMore) {
    expect_over_limit(with(invite(), ";transport=udp", repeated(";a", 17)), "17 parameters");
    expect_over_limit(with(invite(), ";transport=udp", repeated(";a", 400)), "line 1");
    expect_over_limit(with(invite(), ";transport=udp", "?a=1" + repeated("&a=1", 16)), "17 parameters");
    expect_over_limit(invite_and(repeated("z:a\r\n", 64)), "more than 64 headers");
    expect_over_limit(invite_and("Route: <sip:a>" + repeated(",<sip:a>", 32) + "\r\n"),
                      "Route: more than 32");
    expect_over_limit(invite_and(repeated("Via: SIP/2.0/UDP a\r\n", 31)), "Via: more than 32");
    expect_over_limit(invite_and("Contact: <sip:a>" + repeated(",<sip:a>", 32) + "\r\n"),
                      "Contact: more than 32");
    expect_over_limit(invite_and("Contact: <sip:a" + repeated(";a", 17) + ">\r\n"),
                      "more than 16 parameters");
    expect_over_limit(invite_and("Contact: <sip:a>" + repeated(";a", 17) + "\r\n"),
                      "more than 16 parameters");
    expect_over_limit(invite_and(repeated("Contact: <sip:a;b;c;d;e;f;g;h;i>;j;k;l;m;n;o;p;q\r\n", 8)),
                      "more than 128 parameters");
    expect_over_limit(invite_and(repeated("m: <sip:a>" + repeated(",<sip:a>", 7) + "\r\n", 8)),
                      "more than 64 values");
    expect_over_limit(invite_and("X: " + std::string(1100, 'a') + "\r\n"), "longer than the cap of 1024");
    expect_over_limit(invite_and("X: a" + repeated("\r\n a", 300) + "\r\n"), "longer than the cap");
    expect_over_limit(with(invite(), "v=0\r\n", std::string(9000, 'a')), "datagram of");
    expect_rejected(with(with(invite(), "Content-Length: 5\r\n", ""), "v=0\r\n", std::string(6145, 'a')),
                    STEM_SIP_OVER_LIMIT, "body of 6145");
    expect_rejected(invite(), STEM_SIP_OVER_LIMIT, "datagram", Limits{.message = 100});
    expect_rejected(invite(), STEM_SIP_OVER_LIMIT, "headers", Limits{.headers = 5});
}

TEST(SipMessage, AnyLengthCutIsRefusedAndNoneReadsPastItsEnd) {
    const std::string datagram = invite();
    for (std::size_t length = 0; length < datagram.size(); ++length) {
        const std::vector<char> exact(datagram.begin(),
                                      datagram.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_FALSE(parse({exact.data(), exact.size()}, {})) << length;
    }
}

TEST(SipMessage, RejectionsDoNotCarryTheSendersOctetsIntoALog) {
    const auto message = parse("INVITE \x1b[31m\xff SIP/2.0\r\n\r\n", {});
    ASSERT_FALSE(message);
    for (const char octet : message.error().what) {
        EXPECT_TRUE(octet >= ' ' && octet <= '~');
    }
}

TEST(SipMessage, ManyThreadsMayParse) {
    std::vector<std::jthread> threads;
    std::array<int, 4> parsed{};
    threads.reserve(parsed.size());
    for (int& count : parsed) {
        threads.emplace_back([&count] {
            for (int round = 0; round < 200; ++round) {
                count += parse(invite(), {}) ? 1 : 0;
            }
        });
    }
    threads.clear();
    EXPECT_THAT(parsed, testing::Each(200));
}

TEST(SipMethod, NamesAreCaseSensitive) {
    EXPECT_EQ(stem::sip::method_from("REGISTER"), Method::register_);
    EXPECT_EQ(stem::sip::method_from("Register"), Method::other);
    EXPECT_EQ(stem::sip::method_from("other"), Method::other);
    EXPECT_EQ(stem::sip::name_of(Method::message), "MESSAGE");
}

TEST(SipUri, AddressOfRecord) {
    const auto record = [](std::string_view text) { return parse_uri(text)->address_of_record(); };
    EXPECT_EQ(record("SIP:Bob@Example.ORG:5060;transport=tcp?subject=x"), "sip:Bob@example.org");
    EXPECT_EQ(record("sip:bob:secret@example.org:5070"), "sip:bob@example.org:5070");
    EXPECT_EQ(record("sips:bob@example.org:5061"), "sip:bob@example.org");
    EXPECT_EQ(record("sip:%62%6Fb@example.org"), "sip:bob@example.org");
    EXPECT_EQ(record("sip:b%40b%2f%00@example.org"), "sip:b%40b%2F%00@example.org");
    EXPECT_EQ(record("sip:user;par=u%40example.net@example.com"), "sip:user;par=u%40example.net@example.com");
    EXPECT_EQ(record("sip:[2001:DB8::1]:5060"), "sip:[2001:db8::1]");
    EXPECT_EQ(record("tel:+1-(555)-01.00;ext=5"), "tel:+15550100");
    EXPECT_EQ(record("tel:7042;phone-context=Example.com;x=y"), "tel:7042;phone-context=example.com");
    EXPECT_EQ(record("urn:service:sos"), "urn:service:sos");
}

TEST(SipUri, Refused) {
    for (const std::string_view bad : {"",
                                       "bob",
                                       "sip:",
                                       ":bob",
                                       "sip:@example.org",
                                       "sip:bob@",
                                       "sip:bob@exa mple.org",
                                       "sip:bob@example.org:",
                                       "sip:bob@example.org:0",
                                       "sip:bob@example.org:65536",
                                       "sip:bob@example.org:5060x",
                                       "sip:[2001:db8::1",
                                       "sip:[example.org]",
                                       "sip:2001:db8::1",
                                       "1sip:bob@example.org",
                                       "sip:a@b@c",
                                       "sip::pw@example.org",
                                       "<sip:bob@example.org>",
                                       "tel:",
                                       "sip:bob@exam\"ple"}) {
        EXPECT_FALSE(parse_uri(bad)) << bad;
    }
}

} // namespace
