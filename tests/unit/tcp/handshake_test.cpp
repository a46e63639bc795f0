// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

namespace stem::tcp {
namespace {

using test::Bench;
using test::endpoint;
using test::Talk;
constexpr auto in = STEM_INBOUND;
constexpr auto out = STEM_OUTBOUND;
constexpr std::uint8_t syn = frame::tcp_syn;
constexpr std::uint8_t ack = frame::tcp_ack;
constexpr std::uint8_t rst = frame::tcp_rst;

TEST(Handshake, PassesFromEndToEnd) {
    for (const bool v4 : {true, false}) {
        Bench bench;
        Talk talk(bench, {.v4 = v4, .timestamps = true});
        EXPECT_EQ(talk.say_at(in, 1000, {}, syn, 0), STEM_TCP_TAKEN);
        const test::Sent* sent = bench.last_to(out);
        ASSERT_NE(sent, nullptr);
        EXPECT_EQ(sent->segment.flags, syn);
        EXPECT_EQ(sent->segment.sequence, 1000U);
        EXPECT_EQ(sent->source, talk.client_);
        EXPECT_EQ(sent->destination, talk.called_);
        EXPECT_EQ(sent->options.mss, v4 ? 1460 : 1440); // what the link has room for
        ASSERT_TRUE(sent->options.timestamps);
        EXPECT_EQ(sent->options.timestamps->value, 101U);

        EXPECT_EQ(talk.say_at(out, 900000, {}, syn | ack, 1001), STEM_TCP_TAKEN);
        sent = bench.last_to(in);
        ASSERT_NE(sent, nullptr);
        EXPECT_EQ(sent->segment.flags, syn | ack);
        EXPECT_EQ(sent->segment.sequence, 900000U);
        EXPECT_EQ(sent->segment.acknowledgment, 1001U);
        EXPECT_EQ(sent->source, talk.called_);
        EXPECT_EQ(sent->options.timestamps->echo, 101U);

        EXPECT_EQ(talk.say_at(in, 1001, {}, ack, 900001), STEM_TCP_TAKEN);
        sent = bench.last_to(out);
        EXPECT_EQ(sent->segment.flags, ack);
        EXPECT_EQ(sent->segment.sequence, 1001U);
        EXPECT_EQ(sent->segment.acknowledgment, 900001U);
        EXPECT_EQ(bench.table_.counts().opened, 1U);
        EXPECT_EQ(bench.table_.open(), 1U);
    }
}

TEST(Handshake, OnlyTimestampsThatBothHaveAreUsed) {
    Bench bench;
    Talk talk(bench, {.timestamps = true});
    talk.say_at(in, 1000, {}, syn, 0);
    talk.form_.timestamps = false; // the server has none
    talk.say_at(out, 900000, {}, syn | ack, 1001);
    EXPECT_FALSE(bench.last_to(in)->options.timestamps);
}

TEST(Handshake, EachSegmentMayBeRepeated) {
    Bench bench;
    Talk talk(bench);
    talk.say_at(in, 1000, {}, syn, 0);
    talk.say_at(in, 1000, {}, syn, 0);
    EXPECT_EQ(bench.take_sent().size(), 2U);
    talk.say_at(out, 900000, {}, syn | ack, 1001);
    talk.say_at(out, 900000, {}, syn | ack, 1001);
    EXPECT_EQ(bench.take_sent().size(), 2U);
    talk.say_at(in, 1000, {}, syn, 0); // the SYN-ACK was lost
    EXPECT_EQ(bench.last_to(in)->segment.flags, syn | ack);
    talk.say_at(in, 1001, {}, ack, 900001);
    bench.take_sent();
    talk.say_at(out, 900000, {}, syn | ack, 1001); // our ACK was lost
    ASSERT_EQ(bench.sent_.size(), 1U);
    EXPECT_EQ(bench.last_to(out)->segment.flags, ack);
    EXPECT_EQ(bench.last_to(out)->segment.sequence, 1001U);
}

TEST(Handshake, OctetsMayComeWithTheLastSegment) {
    Bench bench;
    Talk talk(bench);
    talk.say_at(in, 1000, {}, syn, 0);
    talk.say_at(out, 900000, {}, syn | ack, 1001);
    const std::string message = test::sip("OPTIONS", "1");
    talk.say_at(in, 1001, message, ack, 900001);
    EXPECT_EQ(bench.last_to(out)->octets, message);
}

TEST(Handshake, ASynWithOctetsIsPassedWithoutThem) { // fast open: what is in a SYN was not judged
    Bench bench;
    Talk talk(bench);
    talk.say_at(in, 1000, "OPTIONS", syn, 0);
    EXPECT_EQ(bench.last_to(out)->octets, "");
    EXPECT_EQ(bench.messages_.size(), 0U);
}

TEST(Handshake, ARefusalPasses) {
    Bench bench;
    Talk talk(bench);
    talk.say_at(in, 1000, {}, syn, 0);
    bench.take_sent();
    EXPECT_EQ(talk.say_at(out, 0, {}, rst | ack, 1001), STEM_TCP_TAKEN);
    ASSERT_NE(bench.last_to(in), nullptr);
    EXPECT_EQ(bench.last_to(in)->segment.flags, rst | ack);
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 1001U);
    EXPECT_EQ(bench.table_.size(), 0U);
}

TEST(Handshake, WhatDoesNotFitIsLeftOut) {
    Bench bench;
    Talk talk(bench);
    EXPECT_EQ(talk.say_at(in, 1000, {}, rst, 0), STEM_TCP_WINDOW);
    EXPECT_EQ(talk.say_at(in, 1000, {}, syn | ack, 5), STEM_TCP_WINDOW);
    EXPECT_EQ(bench.table_.size(), 0U);
    talk.say_at(in, 1000, {}, syn, 0);
    bench.take_sent();
    EXPECT_EQ(talk.say_at(out, 900000, {}, syn | ack, 1002), STEM_TCP_WINDOW); // answers another SYN
    EXPECT_EQ(talk.say_at(out, 0, {}, rst | ack, 1002), STEM_TCP_WINDOW);
    EXPECT_EQ(talk.say_at(in, 1001, "x", ack, 900001), STEM_TCP_WINDOW); // nobody has answered
    EXPECT_TRUE(bench.sent_.empty());
    talk.say_at(out, 900000, {}, syn | ack, 1001);
    bench.take_sent();
    EXPECT_EQ(talk.say_at(in, 1001, {}, ack, 900002), STEM_TCP_WINDOW);
    EXPECT_EQ(talk.say_at(in, 1005, {}, ack, 900001), STEM_TCP_WINDOW);
    EXPECT_TRUE(bench.sent_.empty());
}

TEST(Handshake, IsGivenUpAfterAWhile) {
    Bench bench;
    Talk talk(bench);
    talk.say_at(in, 1000, {}, syn, 0);
    bench.advance(31'000 * test::ms);
    bench.advance(1);
    EXPECT_EQ(bench.table_.size(), 0U);
}

TEST(Handshake, GoesToTheProxyAndAnswersAsTheCalledAddress) {
    for (const bool v4 : {true, false}) {
        Bench bench;
        const Endpoint proxy = endpoint(v4 ? "198.51.100.9" : "2001:db8:1::9", 5070);
        Talk talk(bench, {.v4 = v4, .proxy = proxy});
        talk.say_at(in, 1000, {}, syn, 0);
        EXPECT_EQ(bench.last_to(out)->destination, proxy);
        EXPECT_EQ(bench.last_to(out)->source, talk.client_);
        talk.say_at(out, 900000, {}, syn | ack, 1001); // from the proxy
        EXPECT_EQ(bench.last_to(in)->source, talk.called_);
        talk.say_at(in, 1001, test::sip("OPTIONS", "1"), ack, 900001);
        EXPECT_EQ(bench.last_to(out)->destination, proxy);
        ASSERT_EQ(bench.messages_.size(), 1U);
        EXPECT_EQ(bench.messages_[0].destination, talk.called_); // the monitor sees what the client wrote

        Talk direct(bench, {.v4 = v4}); // the same port of the client, to the proxy itself
        direct.called_ = proxy;
        EXPECT_EQ(direct.say_at(in, 5, {}, syn, 0),
                  STEM_TCP_WINDOW); // is a SYN in that connection: challenged
        Talk second(bench, {.v4 = v4, .proxy = proxy});
        second.called_ = endpoint(v4 ? "198.51.100.3" : "2001:db8:1::3", 5060);
        EXPECT_EQ(second.say_at(in, 5, {}, syn, 0), STEM_PROXY_REFUSED);
    }
}

} // namespace
} // namespace stem::tcp
