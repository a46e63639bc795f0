// SPDX-License-Identifier: Apache-2.0
// Which address the proxy speaks as: by transaction, by call, and what is not known.
#include "ctl/stemd/proxied_calls.h"

#include <gtest/gtest.h>

namespace stem::stemd {
namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t start = 1000 * second;

Endpoint at(std::string_view address, std::uint16_t port = 5060) {
    return {.address = Address::parse(address).value(), .port = port};
}

CallMarks marks(std::string_view call_id, std::string_view cseq, bool response = false) {
    return {.call_id = call_id, .cseq = cseq, .response = response, .has_to_tag = false};
}

TEST(CallMarks, AreReadFromTheText) {
    const auto invite =
        CallMarks::read("INVITE sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
                        "Call-ID:  abc@example.com \r\ncSeq: 7 INVITE\r\nTo: <sip:bob@example.net>\r\n"
                        "\r\nCall-ID: body\r\n");
    EXPECT_EQ(invite.call_id, "abc@example.com");
    EXPECT_EQ(invite.cseq, "7 INVITE");
    EXPECT_FALSE(invite.response);
    EXPECT_FALSE(invite.has_to_tag);
    const auto ringing =
        CallMarks::read("SIP/2.0 180 Ringing\nt: <sip:bob@example.net>;tag=x\ni:abc\nCSeq: 7 INVITE");
    EXPECT_TRUE(ringing.response);
    EXPECT_TRUE(ringing.has_to_tag);
    EXPECT_EQ(ringing.call_id, "abc");
    for (const std::string_view text : {"", "\r\n\r\n", ":", "a\r\n:\r\n", "SIP/2.0 "}) {
        EXPECT_EQ(CallMarks::read(text).call_id, "");
    }
}

TEST(ProxiedCalls, TellCallsOfOnePortApart) {
    ProxiedCalls calls;
    const Endpoint trunk = at("192.0.2.10");
    calls.steered(trunk, at("198.51.100.1"), marks("one", "1 INVITE"), start);
    calls.steered(trunk, at("198.51.100.2"), marks("two", "1 INVITE"), start);
    EXPECT_EQ(calls.origin_of(trunk, marks("one", "1 INVITE", true), start)->called, at("198.51.100.1"));
    EXPECT_EQ(calls.origin_of(trunk, marks("two", "1 INVITE", true), start)->called, at("198.51.100.2"));
    EXPECT_EQ(calls.origin_of(trunk, marks("one", "1 BYE"), start)->called, at("198.51.100.1"));
    // Another client's, or another call: not known here.
    EXPECT_FALSE(calls.origin_of(at("192.0.2.10", 5062), marks("one", "1 INVITE", true), start));
    EXPECT_FALSE(calls.origin_of(trunk, marks("three", "1 INVITE", true), start));
    EXPECT_FALSE(calls.origin_of(trunk, marks("", "1 INVITE"), start));
}

TEST(ProxiedCalls, AnswerWhatWasSentToTheProxyItselfAsTheProxy) {
    ProxiedCalls calls;
    const Endpoint client = at("2001:db8:1::10");
    calls.direct(client, marks("other", "9 OPTIONS"), start); // of no call that was steered
    const auto own = calls.origin_of(client, marks("other", "9 OPTIONS", true), start);
    ASSERT_TRUE(own);
    EXPECT_FALSE(own->called);
    calls.steered(client, at("2001:db8:2::1"), marks("call", "1 INVITE"), start);
    calls.direct(client, marks("call", "2 BYE"), start);
    const auto answer = calls.origin_of(client, marks("call", "2 BYE", true), start);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->called);
    EXPECT_EQ(calls.origin_of(client, marks("call", "1 INVITE", true), start)->called, at("2001:db8:2::1"));
    // The proxy's own request of the same number is no answer.
    EXPECT_EQ(calls.origin_of(client, marks("call", "2 BYE"), start)->called, at("2001:db8:2::1"));
}

TEST(ProxiedCalls, LastLongerOnceAnsweredAndAreBounded) {
    ProxiedCalls calls(4);
    const Endpoint client = at("192.0.2.10");
    calls.steered(client, at("198.51.100.1"), marks("silent", "1 INVITE"), start);
    calls.steered(client, at("198.51.100.1"), marks("up", "1 INVITE"), start);
    calls.steered(client, at("198.51.100.1"), marks("none", "1 INVITE"), start); // no room
    EXPECT_EQ(calls.size(), 4U);
    EXPECT_FALSE(calls.origin_of(client, marks("none", "1 INVITE", true), start));
    EXPECT_TRUE(calls.origin_of(client, marks("up", "1 INVITE", true), start));
    calls.expire(start + 240 * second);
    EXPECT_EQ(calls.size(), 1U);
    EXPECT_FALSE(calls.origin_of(client, marks("silent", "1 INVITE", true), start + 240 * second));
    EXPECT_TRUE(calls.origin_of(client, marks("up", "5 BYE"), start + 3600 * second));
    calls.expire(start + (3600 + 7200) * second);
    EXPECT_EQ(calls.size(), 0U);
}

} // namespace
} // namespace stem::stemd
