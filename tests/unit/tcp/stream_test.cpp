// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

namespace stem::tcp {
namespace {

using test::Bench;
using test::sip;
using test::Talk;
constexpr auto in = STEM_INBOUND;
constexpr auto out = STEM_OUTBOUND;
constexpr std::uint8_t ack = frame::tcp_ack;
constexpr std::uint8_t fin = frame::tcp_fin;
constexpr std::uint8_t rst = frame::tcp_rst;

TEST(Stream, MessagesPassBothWays) {
    Bench bench;
    Talk talk(bench, {.timestamps = true});
    talk.shake();
    const std::string request = sip("OPTIONS", "1");
    EXPECT_EQ(talk.say(in, request), STEM_TCP_TAKEN);
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 1001 + request.size()); // taken in
    EXPECT_EQ(talk.hear(out), request);
    const std::string response = "SIP/2.0 200 OK\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n";
    talk.say(out, response);
    EXPECT_EQ(talk.hear(in), response);
    ASSERT_EQ(bench.messages_.size(), 2U);
    EXPECT_EQ(bench.messages_[0].direction, in);
    EXPECT_EQ(bench.messages_[0].source, talk.client_);
    EXPECT_EQ(bench.messages_[1].source, talk.called_);
    EXPECT_EQ(bench.messages_[1].destination, talk.client_);
    EXPECT_EQ(bench.messages_[1].text, response);
}

TEST(Stream, SegmentsInAnyOrderOneOctetAtATimeAndRepeated) {
    for (const Seq client_first : {Seq{1000}, Seq{0xffffffe0}}) { // the numbers wrap around
        Bench bench;
        Talk talk(bench, {.client_first = client_first});
        talk.shake();
        const std::string request = sip("OPTIONS", "1");
        const Seq start = client_first + 1;
        for (std::size_t at = request.size(); at-- > 40;) { // from the end on, far more pieces than are kept
            talk.say_at(in, start + static_cast<Seq>(at), request.substr(at, 1), ack);
        }
        EXPECT_TRUE(bench.messages_.empty());
        for (std::size_t at = 0; at < request.size(); ++at) {
            talk.say_at(in, start + static_cast<Seq>(at), request.substr(at, 1), ack);
            talk.say_at(in, start + static_cast<Seq>(at), request.substr(at, 1), ack);
        }
        ASSERT_EQ(bench.messages_.size(), 1U);
        EXPECT_EQ(talk.hear(out), request);
    }
}

TEST(Stream, NothingOfAMessageGoesOnBeforeAllOfItIsThere) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    const std::string request = sip("INVITE", "1", std::string(3000, 'v'));
    talk.say(in, request.substr(0, 1460));
    talk.say(in, request.substr(1460, 1460));
    EXPECT_EQ(talk.hear(out), "");
    // Its sender is told that it came: it may wait for that before it sends the rest (RFC 9293 3.7.4).
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 1001U + 2920);
    talk.say(in, request.substr(2920));
    EXPECT_EQ(talk.hear(out), request);
}

TEST(Stream, ManyMessagesInASegment) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    std::string all;
    for (int i = 0; i < 8; ++i) {
        all += sip("OPTIONS", std::to_string(i));
    }
    talk.say(in, all);
    EXPECT_EQ(bench.messages_.size(), 8U);
    EXPECT_EQ(talk.hear(out), all);
}

TEST(Stream, KeepAlivesPass) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.say(in, "\r\n\r\n");
    EXPECT_EQ(talk.hear(out), "\r\n\r\n");
    talk.say(out, "\r\n");
    EXPECT_EQ(talk.hear(in), "\r\n");
    EXPECT_TRUE(bench.messages_.empty());
    EXPECT_EQ(bench.table_.counts().keep_alives, 2U);
}

TEST(Stream, AHeldMessageIsDelayedAndLetsOthersPass) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    bench.holds = true;
    const std::string invite = sip("INVITE", "1");
    const std::string options = sip("OPTIONS", "2");
    talk.say(in, invite);
    talk.say(in, options);
    ASSERT_EQ(bench.held_.size(), 2U);
    EXPECT_EQ(talk.hear(out), "");
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 1001 + invite.size() + options.size());
    EXPECT_EQ(bench.table_.stored(), invite.size() + options.size());
    bench.advance(20'000 * test::ms); // nobody gives up meanwhile
    EXPECT_EQ(bench.table_.open(), 1U);
    bench.release(bench.held_[1], bench.now);
    EXPECT_EQ(talk.hear(out), options);
    bench.release(bench.held_[0], bench.now);
    EXPECT_EQ(talk.hear(out), invite);
    talk.acknowledge(out);
    EXPECT_EQ(bench.table_.stored(), 0U);
}

// What is left out, answered or made longer changes the numbers for the rest of the connection.
TEST(Stream, NumbersStayRightWhateverBecomesOfMessages) {
    for (const Seq first : {Seq{1000}, Seq{0xfffffff0}, Seq{0xffffff00}}) {
        Bench bench;
        Talk talk(bench, {.client_first = first, .server_first = first + 7, .timestamps = true});
        talk.shake();
        bench.holds = true;
        talk.say(in, sip("INVITE", "1"));
        talk.say(in, sip("INVITE", "2"));
        talk.say(in, sip("INVITE", "3"));
        ASSERT_EQ(bench.held_.size(), 3U);
        auto& table = bench.table_;
        const auto& rejected = bench.held_[0];
        const auto& rewritten = bench.held_[1];
        const std::string refusal = "SIP/2.0 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
        EXPECT_TRUE(table.write(rejected.connection, out, refusal, bench.now)); // towards the client
        table.settle(rejected.connection, in, rejected.text.size(), false, bench.now);
        const std::string longer = sip("INVITE", "2", {}, "Route: <sip:somewhere.else.example.org;lr>\r\n");
        EXPECT_TRUE(table.write(rewritten.connection, in, longer, bench.now));
        table.settle(rewritten.connection, in, rewritten.text.size(), true, bench.now);
        bench.release(bench.held_[2], bench.now);
        EXPECT_EQ(talk.hear(in), refusal);
        EXPECT_EQ(talk.hear(out), longer + bench.held_[2].text);
        bench.holds = false;

        // Both go on, each in its own numbers, and acknowledge what they have.
        talk.acknowledge(in);
        talk.acknowledge(out);
        for (int i = 0; i < 5; ++i) {
            const std::string request = sip("OPTIONS", "a" + std::to_string(i));
            const std::string response = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";
            talk.say(in, request);
            EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, talk.next_[in]);
            EXPECT_EQ(talk.hear(out), request);
            talk.say(out, response);
            EXPECT_EQ(bench.last_to(out)->segment.acknowledgment, talk.next_[out]);
            EXPECT_EQ(talk.hear(in), response);
            talk.acknowledge(in);
        }
        EXPECT_EQ(table.open(), 1U);
        EXPECT_EQ(table.stored(), 0U);
        EXPECT_EQ(table.list().at(0).stream[in].discarded, rejected.text.size());
        // And end with the right ones.
        talk.finish(in);
        talk.hear(out);
        talk.finish(out);
        talk.hear(in);
        talk.acknowledge(in);
        EXPECT_EQ(table.list().at(0).phase, "closed");
    }
}

TEST(Stream, WhatIsLostOnTheWayOutIsRepeated) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    const std::string request = sip("OPTIONS", "1");
    talk.say(in, request);
    bench.take_sent(); // lost
    bench.advance(1'001 * test::ms);
    EXPECT_EQ(talk.hear(out), request);
    talk.acknowledge(out);
    bench.take_sent();
    bench.advance(60'000 * test::ms);
    EXPECT_TRUE(bench.sent_.empty());
    EXPECT_EQ(bench.table_.counts().repeated, 1U);
}

TEST(Stream, FinPassesAfterAllThatCameBefore) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    bench.holds = true;
    talk.say(in, sip("INVITE", "1"));
    talk.finish(in);
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, talk.next_[in]);
    EXPECT_EQ(bench.last_to(out), nullptr); // the INVITE is still held
    bench.release(bench.held_[0], bench.now);
    ASSERT_NE(bench.last_to(out), nullptr);
    EXPECT_TRUE(bench.last_to(out)->segment.has(fin));
    EXPECT_EQ(talk.hear(out), bench.held_[0].text);
    const std::string response = "SIP/2.0 486 Busy Here\r\nContent-Length: 0\r\n\r\n";
    bench.holds = false;
    talk.say(out, response); // half closed: the other direction goes on
    EXPECT_EQ(talk.hear(in), response);
    talk.finish(out);
    talk.hear(in);
    talk.acknowledge(in);
    EXPECT_EQ(bench.table_.counts().closed, 1U);
    bench.take_sent();
    EXPECT_EQ(talk.say_at(out, talk.next_[out] - 1, {}, ack | fin), STEM_TCP_WINDOW); // the last ACK was lost
    EXPECT_EQ(bench.last_to(out)->segment.flags, ack);
    talk.form_.client_first = 77;
    talk.next_[in] = 77;
    talk.next_[out] = talk.form_.server_first;
    talk.shake(); // the same ports, anew
    EXPECT_EQ(bench.table_.open(), 1U);
}

TEST(Stream, ResetPassesIfItsNumberIsExact) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    EXPECT_EQ(talk.say_at(in, talk.next_[in] + 1, {}, rst), STEM_TCP_WINDOW); // a blind guess
    EXPECT_EQ(bench.last_to(out), nullptr);
    EXPECT_EQ(bench.last_to(in)->segment.flags, ack); // challenged (RFC 5961)
    EXPECT_EQ(talk.say_at(in, talk.next_[in] + 100000, {}, rst), STEM_TCP_WINDOW);
    EXPECT_EQ(bench.table_.open(), 1U);
    EXPECT_EQ(talk.say_at(in, talk.next_[in], {}, rst), STEM_TCP_TAKEN);
    ASSERT_NE(bench.last_to(out), nullptr);
    EXPECT_TRUE(bench.last_to(out)->segment.has(rst));
    EXPECT_EQ(bench.last_to(out)->segment.sequence, 1001U);
    EXPECT_EQ(bench.table_.size(), 0U);
}

TEST(Stream, ASynInAConnectionThatIsUpIsChallenged) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    EXPECT_EQ(talk.say_at(in, 5, {}, frame::tcp_syn, 0), STEM_TCP_WINDOW);
    EXPECT_EQ(bench.last_to(in)->segment.flags, ack);
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 1001U);
    EXPECT_EQ(bench.last_to(out), nullptr);
}

TEST(Stream, AKeepAliveIsAnsweredOnlyIfTheOtherEndLives) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.say_at(in, talk.next_[in] - 1, {}, ack);
    ASSERT_NE(bench.last_to(out), nullptr); // asked in its turn
    EXPECT_EQ(bench.last_to(out)->segment.sequence, 1000U);
    EXPECT_EQ(bench.last_to(in), nullptr);
    talk.acknowledge(out);
    ASSERT_NE(bench.last_to(in), nullptr);
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 1001U);
}

TEST(Stream, AStreamThatCannotBeFollowedEndsForBoth) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.say(in, "OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n"); // no Content-Length
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0], std::pair(in, STEM_TCP_FRAMING));
    EXPECT_TRUE(bench.last_to(in)->segment.has(rst));
    EXPECT_EQ(bench.last_to(in)->segment.sequence, 900001U);
    EXPECT_TRUE(bench.last_to(out)->segment.has(rst));
    EXPECT_EQ(bench.last_to(out)->segment.sequence, 1001U);
    EXPECT_EQ(bench.table_.stored(), 0U);
    // An end that had not all of it challenges, and is told with its own number.
    bench.take_sent();
    talk.say_at(out, talk.next_[out], {}, ack, 990);
    EXPECT_EQ(bench.last_to(out)->segment.sequence, 990U);
    EXPECT_TRUE(bench.last_to(out)->segment.has(rst));
    bench.advance(11'000 * test::ms);
    EXPECT_EQ(bench.table_.size(), 0U);
}

TEST(Stream, FinInsideAMessageEndsItForBoth) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.say(in, "OPTIONS sip:a SIP/2.0\r\nCall");
    talk.finish(in);
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_CUT_SHORT);
    EXPECT_TRUE(bench.last_to(out)->segment.has(rst));
}

TEST(Stream, AnAcknowledgmentOfWhatWasNeverSentIsChallenged) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    EXPECT_EQ(talk.say_at(in, talk.next_[in], {}, ack, 900002), STEM_TCP_WINDOW);
    EXPECT_EQ(bench.last_to(in)->segment.flags, ack);
    EXPECT_EQ(bench.last_to(out), nullptr);
}

// Of all numbers only a few are those of the end itself (RFC 5961 5.2, RFC 9293 3.10.7.4): who guesses has to
// guess both.
TEST(Stream, WhatSomebodyElseSaysIsChallengedAndHasNoEffect) {
    for (const bool v4 : {true, false}) {
        Bench bench;
        Talk talk(bench, {.v4 = v4});
        talk.shake();
        const std::string request = sip("OPTIONS", "1");
        talk.say(out, request); // under way to the client
        talk.hear(in);
        const Seq next = talk.next_[in];
        const Seq has = talk.received_[in];
        struct Guess {
            Seq sequence;
            Seq acknowledgment;
        };
        for (const auto& [sequence, acknowledgment] :
             {Guess{next, has - 0x7fff0000U}, Guess{next, has - 70000U}, Guess{next + 70000U, has},
              Guess{next - 70000U, has}, Guess{next + 0x80000000U, has}}) {
            bench.advance(500 * test::ms); // challenges are bounded
            bench.take_sent();
            EXPECT_EQ(talk.say_at(in, sequence, request, ack, acknowledgment), STEM_TCP_WINDOW);
            ASSERT_NE(bench.last_to(in), nullptr);
            EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, next);
            EXPECT_EQ(bench.last_to(out), nullptr);
            EXPECT_EQ(bench.table_.list()[0].stream[STEM_OUTBOUND].unsent, request.size());
        }
        EXPECT_EQ(bench.messages_.size(), 1U);
        // An old one of the client's own: late, or sent again, and none of these.
        EXPECT_EQ(talk.say_at(in, next, {}, ack, has - 50000U), STEM_TCP_TAKEN);
        EXPECT_EQ(talk.say_at(in, next - 1000, std::string(1000, 'x'), ack), STEM_TCP_TAKEN);
        EXPECT_EQ(bench.table_.list()[0].stream[STEM_OUTBOUND].unsent, 0U);
        talk.say(in, request);
        EXPECT_EQ(talk.hear(out), request);
    }
}

TEST(Stream, NothingIsAnsweredBehindAFin) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    bench.holds = true;
    talk.say(in, sip("INVITE", "1"));
    talk.finish(out); // the server will say nothing any more
    talk.hear(in);
    const Message& held = bench.held_.at(0);
    EXPECT_FALSE(bench.table_.write(held.connection, out, "SIP/2.0 100 Trying\r\n\r\n", bench.now));
    bench.release(held, bench.now); // it still listens
    EXPECT_EQ(talk.hear(out), held.text);
}

TEST(Stream, EndsThatDoNotFitDoNotChallengeEachOtherForEver) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    for (int i = 0; i < 100; ++i) {
        talk.say_at(in, talk.next_[in], {}, ack, 900002 + 77);
    }
    EXPECT_EQ(bench.take_sent().size(), 1U);
    bench.advance(501 * test::ms);
    talk.say_at(in, talk.next_[in], {}, ack, 900002 + 77);
    EXPECT_EQ(bench.take_sent().size(), 1U);
}

TEST(Stream, UrgentOctetsAreOctetsLikeOthers) { // a receiving stack would take one of them out of the stream
    Bench bench;
    Talk talk(bench);
    talk.shake();
    const std::string request = sip("OPTIONS", "1");
    talk.say_at(in, 1001, request, ack | frame::tcp_urg);
    EXPECT_FALSE(bench.last_to(out)->segment.has(frame::tcp_urg));
    EXPECT_EQ(talk.hear(out), request);
}

} // namespace
} // namespace stem::tcp
