// SPDX-License-Identifier: Apache-2.0
// Connections that were there before this table.
#include "bench.h"

namespace stem::tcp {
namespace {

using test::Bench;
using test::ms;
using test::sip;
using test::Talk;
constexpr auto in = STEM_INBOUND;
constexpr auto out = STEM_OUTBOUND;
constexpr std::uint8_t ack = frame::tcp_ack;
constexpr std::uint8_t rst = frame::tcp_rst;

// Two ends that have talked for a while, through a stemd that sent all on, and agree on where they are but
// for these differences.
void know_each_other(Talk& talk, std::int32_t client_ahead = 0, std::int32_t server_ahead = 0) {
    talk.next_[in] = 5000;
    talk.next_[out] = 70000;
    talk.received_[out] = talk.next_[in] - static_cast<Seq>(client_ahead);
    talk.received_[in] = talk.next_[out] - static_cast<Seq>(server_ahead);
    talk.bench_->places_.put(
        {.outside = talk.client_, .inside = talk.called_},
        {.behind = {talk.received_[in], talk.received_[out]}, .known = talk.form_.known});
}

// Another table in the place of the one of `talk`, which was killed, or stops in good order.
void start_anew(Talk& talk, Bench& next) {
    next.places_.all = talk.bench_->places_.all;
    next.now = talk.bench_->now;
    talk.bench_ = &next;
}

TEST(Resume, AsksTheOtherEndAndGoesOn) {
    for (const bool timestamps : {false, true}) {
        Bench bench;
        Talk talk(bench, {.timestamps = timestamps});
        know_each_other(talk);
        const std::string message = sip("OPTIONS", "1");
        EXPECT_EQ(talk.say_at(in, 5000, message, ack), STEM_TCP_UNKNOWN);
        ASSERT_NE(bench.last_to(out), nullptr);
        EXPECT_EQ(bench.last_to(out)->segment.sequence, 4999U); // an old number: it has to say where it is
        EXPECT_EQ(bench.last_to(out)->octets, "");
        EXPECT_EQ(bench.last_to(out)->options.timestamps.has_value(), timestamps);
        EXPECT_EQ(talk.acknowledge(out), STEM_TCP_TAKEN);
        EXPECT_EQ(bench.table_.counts().resumed, 1U);
        EXPECT_EQ(bench.table_.open(), 1U);
        bench.take_sent();
        talk.say(in, message); // repeated by its sender
        EXPECT_EQ(talk.hear(out), message);
        talk.say(out, "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
        EXPECT_EQ(bench.messages_.size(), 2U);
    }
}

TEST(Resume, AKeepAliveIsEnough) {
    Bench bench;
    Talk talk(bench);
    know_each_other(talk);
    talk.say_at(in, 4999, {}, ack);
    talk.acknowledge(out);
    EXPECT_EQ(bench.table_.open(), 1U);
    ASSERT_NE(bench.last_to(in), nullptr);
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 5000U);
}

TEST(Resume, WhatWasUnderWayIsRepeatedByItsSender) {
    Bench bench;
    Talk talk(bench);
    know_each_other(talk, 30, 0); // the server lacks thirty octets
    talk.say_at(in, 5000, {}, ack);
    talk.acknowledge(out);
    EXPECT_EQ(bench.table_.open(), 1U);
    const std::string message = "OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";
    talk.next_[in] = 4970;
    talk.say(in, message);
    EXPECT_EQ(talk.hear(out), message);
}

// Who asked is reset. The other end is left alone, as the asker may have been anybody: once it speaks itself,
// the asker no longer knows the connection.
TEST(Resume, WhoDoesNotAgreeIsReset) {
    Bench bench;
    Talk talk(bench);
    know_each_other(talk, -20, 0); // octets were put into the client's stream
    talk.say_at(in, 5000, {}, ack);
    bench.take_sent();
    EXPECT_EQ(talk.acknowledge(out), STEM_TCP_UNKNOWN);
    ASSERT_NE(bench.last_to(in), nullptr);
    EXPECT_TRUE(bench.last_to(in)->segment.has(rst));
    EXPECT_EQ(bench.last_to(in)->segment.sequence, 70000U); // what it waits for
    EXPECT_EQ(bench.last_to(out), nullptr);
    bench.advance(3'001 * ms);
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_UNKNOWN);
    EXPECT_EQ(bench.table_.size(), 0U);
    bench.take_sent();
    talk.acknowledge(out);
    ASSERT_NE(bench.last_to(in), nullptr); // is asked
    talk.say_at(in, bench.last_to(in)->segment.acknowledgment, {}, rst, 0);
    ASSERT_NE(bench.last_to(out), nullptr);
    EXPECT_TRUE(bench.last_to(out)->segment.has(rst));
    EXPECT_EQ(bench.last_to(out)->segment.sequence, 5020U); // what this one waits for
}

// Somebody who knows only addresses and ports speaks in the client's name, before it does and after.
TEST(Resume, AForgedSegmentEndsNothing) {
    for (const bool v4 : {true, false}) {
        Bench bench;
        Talk talk(bench, {.v4 = v4});
        know_each_other(talk);
        talk.say_at(in, 123456, {}, ack, 654321);
        bench.take_sent();
        talk.acknowledge(out);
        EXPECT_EQ(bench.last_to(out), nullptr) << "the server is healthy";
        ASSERT_NE(bench.last_to(in), nullptr);
        EXPECT_EQ(bench.last_to(in)->segment.sequence, 654321U); // is nothing that the client waits for
        talk.say_at(in, 223456, {}, ack, 654321);
        const std::string message = sip("OPTIONS", "1");
        talk.say(in, message); // the client itself: fits what the server has said
        EXPECT_EQ(bench.table_.open(), 1U);
        EXPECT_EQ(talk.hear(out), message);
        EXPECT_TRUE(bench.ended_.empty());
    }
}

TEST(Resume, AForgedResetEndsNothing) {
    Bench bench;
    Talk talk(bench);
    know_each_other(talk);
    talk.acknowledge(out); // the server speaks first, and the client is asked
    bench.take_sent();
    EXPECT_EQ(talk.say_at(in, 123456, {}, rst, 0), STEM_TCP_WINDOW);
    EXPECT_EQ(bench.last_to(out), nullptr);
    talk.acknowledge(in);
    EXPECT_EQ(bench.table_.open(), 1U);
}

TEST(Resume, WhatAStemdTookInAndLostEndsTheConnection) {
    Bench bench;
    Talk talk(bench);
    know_each_other(talk, 500, 0); // acknowledged to the client, and never sent on
    talk.say_at(in, 5000, {}, ack);
    talk.acknowledge(out);
    talk.say(in, sip("OPTIONS", "1")); // goes on behind the hole
    EXPECT_TRUE(bench.messages_.empty());
    bench.advance(11'000 * ms);
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_SLOW);
}

TEST(Resume, AnEndThatKnowsNothingResetsTheOther) {
    Bench bench;
    Talk talk(bench);
    know_each_other(talk);
    talk.say_at(in, 5000, {}, ack);
    bench.take_sent();
    talk.say_at(out, 70000, {}, rst, 0); // as RFC 9293 3.10.7.1 has it answer the question
    ASSERT_NE(bench.last_to(in), nullptr);
    EXPECT_TRUE(bench.last_to(in)->segment.has(rst));
    EXPECT_EQ(bench.last_to(in)->segment.sequence, 70000U);
    EXPECT_EQ(bench.table_.size(), 0U);
}

TEST(Resume, AnEndThatSaysNothingIsReset) {
    Bench bench;
    Talk talk(bench);
    know_each_other(talk);
    talk.say_at(in, 5000, {}, ack);
    bench.take_sent();
    bench.advance(3'001 * ms);
    ASSERT_NE(bench.last_to(in), nullptr);
    EXPECT_TRUE(bench.last_to(in)->segment.has(rst));
    EXPECT_EQ(bench.table_.size(), 0U);
}

// A body of which the server lacks an end came by unjudged: what looks like the beginning of a message to us
// would be its end to the server, and a message that we take for a body would be one.
TEST(Resume, NotInTheMiddleOfAMessage) {
    for (const bool v4 : {true, false}) {
        for (const bool followed : {false, true}) { // not at all; or until that body began
            Bench bench;
            Talk talk(bench, {.v4 = v4});
            know_each_other(talk);
            if (followed) {
                talk.next_[in] += 150; // with the fallback open
                talk.received_[out] += 150;
            } else {
                bench.places_.all.clear(); // before STEM, or with the fallback open
            }
            const std::string rest = sip("OPTIONS", "1", sip("INVITE", "2"));
            talk.say_at(in, talk.next_[in], rest, ack);
            bench.take_sent();
            talk.acknowledge(out);
            EXPECT_EQ(bench.table_.open(), 0U);
            talk.say(in, rest);
            EXPECT_TRUE(bench.messages_.empty());
            ASSERT_NE(bench.last_to(in), nullptr);
            bench.advance(3'001 * ms);
            EXPECT_TRUE(bench.last_to(in)->segment.has(rst));
            EXPECT_EQ(bench.last_to(in)->segment.sequence, 70000U);
            ASSERT_FALSE(bench.ended_.empty());
            EXPECT_EQ(bench.ended_[0].second, STEM_TCP_UNKNOWN);
            EXPECT_EQ(bench.table_.size(), 0U);
        }
    }
}

// Where nothing was under way when the table was killed, the next one goes on: after messages both ways, and
// again.
TEST(Resume, TakesOverFromATableThatWasKilled) {
    for (const bool v4 : {true, false}) {
        Bench first;
        Bench second;
        Bench third;
        Talk talk(first, {.v4 = v4, .known = false});
        talk.shake();
        const std::string request = sip("OPTIONS", "1");
        const std::string answer = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
        for (Bench* next : {&second, &third}) {
            talk.say(in, request + "\r\n\r\n");
            EXPECT_EQ(talk.hear(out), request + "\r\n\r\n");
            talk.acknowledge(out);
            talk.say(out, answer);
            EXPECT_EQ(talk.hear(in), answer);
            talk.acknowledge(in);
            start_anew(talk, *next);
            if (next == &second) {
                talk.say_at(in, talk.next_[in], {}, ack);
                next->take_sent();
                talk.acknowledge(out);
            } else { // the server speaks first
                talk.say_at(out, talk.next_[out], {}, ack);
                next->take_sent();
                talk.acknowledge(in);
            }
            ASSERT_EQ(next->table_.open(), 1U);
            EXPECT_FALSE(next->table_.list()[0].known); // whoever spoke
        }
        talk.say(in, request);
        EXPECT_EQ(talk.hear(out), request);
        EXPECT_EQ(talk.hear(in), "");
    }
}

// A part of it was sent when the table was killed: the rest could be another than was judged.
TEST(Resume, NotBehindHalfAMessage) {
    Bench first;
    Bench second;
    Talk talk(first, {.window = 100});
    talk.shake();
    const std::string message = sip("OPTIONS", "1", std::string(500, 'b'));
    talk.say(in, message);
    EXPECT_EQ(talk.hear(out), message.substr(0, 100));
    start_anew(talk, second);
    talk.say_at(in, talk.next_[in], {}, ack);
    talk.acknowledge(out);
    EXPECT_EQ(second.table_.open(), 0U);
}

TEST(Resume, WhatEndedIsNotTakenOver) {
    Bench bench;
    Talk left(bench);
    left.shake();
    EXPECT_EQ(bench.places_.all.size(), 1U);
    left.say_at(in, left.next_[in], {}, rst, 0);
    EXPECT_TRUE(bench.places_.all.empty());
    Talk whole(bench, {.port = 40001});
    Talk half(bench, {.port = 40002});
    whole.shake();
    half.shake();
    half.say(in, "OPTIONS sip:a");
    bench.table_.leave(bench.now);
    ASSERT_EQ(bench.places_.all.size(), 1U);
    EXPECT_EQ(bench.places_.all[0].first.outside.port, 40001);
}

TEST(Resume, WhatNobodyTakesOverIsForgotten) {
    Bench bench;
    Talk gone(bench, {.port = 40001});
    know_each_other(gone);
    bench.advance(ms);
    Talk talk(bench);
    talk.shake();
    EXPECT_EQ(bench.places_.all.size(), 2U);
    bench.advance(7'000'000 * ms);
    talk.acknowledge(in);
    bench.advance(441'000 * ms);
    ASSERT_EQ(bench.places_.all.size(), 1U);
    EXPECT_EQ(bench.places_.all[0].first.outside.port, 40000);
}

TEST(Resume, IsBoundedInASecond) {
    Bench bench;
    std::size_t asked = 0;
    for (std::uint16_t port = 1; port < 1000; ++port) {
        Talk talk(bench, {.port = port});
        know_each_other(talk);
        talk.say_at(in, 5000, {}, ack);
        asked += bench.take_sent().size();
    }
    EXPECT_EQ(asked, Table::resumptions_per_second);
    // Those whom nobody knows have their own time, and what has no note is reset in it.
    std::size_t told = 0;
    for (std::uint16_t port = 2000; port < 3000; ++port) {
        Talk talk(bench, {.known = false, .port = port});
        bench.places_.all.clear();
        talk.say_at(in, 123, {}, ack);
        told += bench.take_sent().size();
    }
    EXPECT_EQ(told, Table::resumptions_per_second);
}

TEST(Resume, WhomNobodyKnowsLeavesTimeToTheKnown) {
    Bench bench;
    for (std::uint16_t port = 1; port < 1000; ++port) {
        Talk talk(bench, {.known = false, .port = port});
        talk.say_at(in, 123, {}, ack);
    }
    Talk talk(bench, {.known = true});
    know_each_other(talk);
    talk.say_at(in, 5000, {}, ack);
    talk.acknowledge(out);
    EXPECT_EQ(bench.table_.open(), 1U);
}

} // namespace
} // namespace stem::tcp
