// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

namespace stem::tcp {
namespace {

using test::Bench;
using test::endpoint;
using test::ms;
using test::sip;
using test::Talk;
constexpr auto in = STEM_INBOUND;
constexpr auto out = STEM_OUTBOUND;
constexpr std::uint8_t syn = frame::tcp_syn;

stem_reason knock(Bench& bench, std::string_view source, std::uint16_t port, bool known = false) {
    Talk talk(bench, {.v4 = source.find(':') == std::string_view::npos, .known = known});
    talk.client_ = endpoint(source, port);
    return talk.say_at(in, 1, {}, syn, 0);
}

TEST(Limits, UnknownSourcesLeaveAQuarterToKnownOnes) {
    Bench bench({.max_connections = 8, .max_per_source = 100});
    for (std::uint16_t i = 0; i < 6; ++i) {
        Talk talk(bench, {.known = false, .port = static_cast<std::uint16_t>(1000 + i)});
        talk.shake();
    }
    EXPECT_EQ(knock(bench, "192.0.2.77", 1), STEM_TCP_LIMIT);
    EXPECT_EQ(knock(bench, "192.0.2.77", 1, true), STEM_TCP_TAKEN);
    EXPECT_EQ(bench.table_.counts().refused, 1U);
}

TEST(Limits, OneSourceHasItsShare) {
    Bench bench({.max_connections = 100, .max_per_source = 2});
    EXPECT_EQ(knock(bench, "192.0.2.1", 1), STEM_TCP_TAKEN);
    EXPECT_EQ(knock(bench, "192.0.2.1", 2), STEM_TCP_TAKEN);
    EXPECT_EQ(knock(bench, "192.0.2.1", 3), STEM_TCP_LIMIT);
    EXPECT_EQ(knock(bench, "192.0.2.2", 3), STEM_TCP_TAKEN);
    EXPECT_EQ(knock(bench, "192.0.2.1", 3, true), STEM_TCP_TAKEN);
    // Of IPv6 the /64.
    EXPECT_EQ(knock(bench, "2001:db8::1", 1), STEM_TCP_TAKEN);
    EXPECT_EQ(knock(bench, "2001:db8::2", 1), STEM_TCP_TAKEN);
    EXPECT_EQ(knock(bench, "2001:db8::3", 1), STEM_TCP_LIMIT);
    EXPECT_EQ(knock(bench, "2001:db8:0:1::3", 1), STEM_TCP_TAKEN);
    bench.advance(31'000 * ms);
    bench.advance(1);
    EXPECT_EQ(bench.table_.size(), 0U);
    EXPECT_EQ(knock(bench, "192.0.2.1", 4), STEM_TCP_TAKEN); // room again
}

TEST(Limits, WhoBecomesKnownIsNotChargedAnyMore) {
    Bench bench({.max_connections = 100, .max_per_source = 1});
    Talk talk(bench, {.known = false});
    talk.shake();
    EXPECT_EQ(knock(bench, "192.0.2.1", 2), STEM_TCP_LIMIT);
    talk.form_.known = true; // has registered
    talk.acknowledge(in);
    EXPECT_TRUE(bench.table_.list().at(0).known);
    EXPECT_EQ(knock(bench, "192.0.2.1", 2), STEM_TCP_TAKEN);
}

TEST(Limits, WhatIsOnlyBegunGoesWhenThereIsNoRoom) {
    Bench bench({.max_connections = 4});
    Talk talk(bench, {.known = true});
    talk.shake();
    for (std::uint16_t port = 1; port < 50; ++port) {
        EXPECT_EQ(knock(bench, "192.0.2.9", port), STEM_TCP_TAKEN);
    }
    EXPECT_LE(bench.table_.size(), 4U);
    EXPECT_EQ(bench.table_.open(), 1U); // who has shaken hands stays
}

// SYNs of unknown sources, which may be forged, push out each other, and no handshake of who is known.
TEST(Limits, UnknownSourcesPushOutNoHandshakeOfAKnownOne) {
    for (const bool v4 : {true, false}) {
        Bench bench({.max_connections = 8});
        Talk talk(bench, {.v4 = v4, .known = true});
        talk.say_at(in, talk.next_[in]++, {}, syn, 0);
        for (std::uint16_t port = 1; port < 50; ++port) {
            EXPECT_EQ(knock(bench, v4 ? "192.0.2.9" : "2001:db8:9::1", port), STEM_TCP_TAKEN);
        }
        EXPECT_LE(bench.table_.size(), 8U);
        talk.received_[out] = talk.form_.client_first + 1;
        bench.take_sent();
        talk.say_at(out, talk.next_[out]++, {}, syn | frame::tcp_ack);
        talk.hear(in);
        talk.received_[in] = talk.next_[out];
        talk.acknowledge(in);
        EXPECT_EQ(bench.table_.open(), 1U);
        // Who is known makes room among those who are not first, and at last among his own.
        for (std::uint16_t port = 1; port < 50; ++port) {
            EXPECT_EQ(knock(bench, v4 ? "192.0.2.9" : "2001:db8:9::1", port, true), STEM_TCP_TAKEN);
        }
        EXPECT_LE(bench.table_.size(), 8U);
        EXPECT_EQ(bench.table_.open(), 1U);
        EXPECT_EQ(knock(bench, v4 ? "192.0.2.10" : "2001:db8:10::1", 1), STEM_TCP_LIMIT);
    }
}

TEST(Limits, WhoBecomesKnownInItsHandshakeIsNotPushedOut) {
    Bench bench({.max_connections = 8});
    Talk talk(bench, {.known = false});
    talk.say_at(in, talk.next_[in], {}, syn, 0);
    talk.form_.known = true; // has registered from elsewhere
    talk.say_at(in, talk.next_[in], {}, syn, 0);
    for (std::uint16_t port = 1; port < 50; ++port) {
        EXPECT_EQ(knock(bench, "192.0.2.9", port), STEM_TCP_TAKEN);
    }
    const auto all = bench.table_.list();
    EXPECT_TRUE(
        std::ranges::any_of(all, [&](const auto& each) { return each.ends.outside == talk.client_; }));
}

TEST(Limits, ASlowMessageEndsItsConnection) {
    Bench bench({.message_timeout = std::chrono::milliseconds(10000), .least_rate = 100});
    Talk talk(bench);
    talk.shake();
    talk.say(in, "OPTIONS sip:a SIP/2.0\r\n");
    for (int i = 0; i < 9; ++i) { // an octet a second: the headers have ten seconds, whatever comes
        bench.advance(1000 * ms);
        talk.say(in, "X");
        EXPECT_TRUE(bench.ended_.empty());
    }
    bench.advance(1001 * ms);
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_SLOW);
    EXPECT_TRUE(bench.last_to(in)->segment.has(frame::tcp_rst));
    EXPECT_TRUE(bench.last_to(out)->segment.has(frame::tcp_rst));
}

TEST(Limits, ABodyHasTheTimeThatTheLeastRateGivesIt) {
    Bench bench({.message_timeout = std::chrono::milliseconds(10000), .least_rate = 100});
    Talk talk(bench);
    talk.shake();
    const std::string message = sip("MESSAGE", "1", std::string(1000 - sip("MESSAGE", "1").size() - 2, 'b'));
    ASSERT_EQ(message.size(), 1000U);
    talk.say(in, message.substr(0, 500));
    bench.advance(19'000 * ms); // ten, and ten for a thousand octets
    EXPECT_TRUE(bench.ended_.empty());
    bench.advance(1'001 * ms);
    EXPECT_EQ(bench.ended_.size(), 1U);
}

TEST(Limits, AHoleThatIsNeverFilledEndsTheConnection) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.say_at(in, 1050, "OPTIONS", frame::tcp_ack);
    bench.advance(9'000 * ms);
    EXPECT_TRUE(bench.ended_.empty());
    bench.advance(1'001 * ms);
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_SLOW);
}

TEST(Limits, SilenceEndsAConnectionAfterALongTime) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    bench.advance(7'000'000 * ms);
    talk.acknowledge(in);
    bench.advance(7'000'000 * ms);
    EXPECT_EQ(bench.table_.open(), 1U);
    bench.advance(441'000 * ms);
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_IDLE);
}

TEST(Limits, AnEndThatTakesNothingEndsTheConnection) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.say(in, sip("OPTIONS", "1"));
    for (int i = 0; i < 130; ++i) {
        bench.advance(1'000 * ms);
    }
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_UNACKNOWLEDGED);
}

// Nothing is dropped: the sender's window closes, and opens again.
TEST(Limits, HeldMessagesCloseTheWindow) {
    Bench bench({.held = 1000});
    Talk talk(bench);
    talk.shake();
    bench.holds = true;
    std::size_t sent = 0;
    for (int i = 0; i < 20; ++i) {
        const std::string message = sip("INVITE", std::to_string(i));
        sent += message.size();
        talk.say(in, message);
    }
    EXPECT_LT(bench.held_.size(), 10U);
    EXPECT_EQ(bench.last_to(in)->segment.window, 0);
    EXPECT_EQ(bench.last_to(in)->segment.acknowledgment, 1001 + sent); // what came is kept
    bench.advance(30'000 * ms);
    EXPECT_TRUE(bench.ended_.empty()); // it waits for us, and is not slow
    bench.take_sent();
    while (!bench.held_.empty()) {
        const Message message = bench.held_.front();
        bench.held_.pop_front();
        bench.release(message, bench.now);
    }
    EXPECT_EQ(bench.messages_.size(), 20U);
    EXPECT_GT(bench.last_to(in)->segment.window, 60000);
    EXPECT_EQ(talk.hear(out).size(), sent);
}

TEST(Limits, AnEndThatDoesNotReadHoldsTheOtherUp) {
    Bench bench({.buffer = 4000});
    Talk talk(bench, {.window = 0});
    talk.shake();
    talk.form_.window = 0;
    std::size_t messages = 0;
    while (messages < 1000 && (bench.last_to(in) == nullptr || bench.last_to(in)->segment.window > 0)) {
        talk.say(in, sip("OPTIONS", std::to_string(messages++)));
    }
    EXPECT_LT(messages, 40U);
    EXPECT_LT(bench.table_.stored(), 9000U);
}

TEST(Limits, AllStreamsTogetherAreBounded) {
    Bench bench({.total = 5000});
    std::vector<std::unique_ptr<Talk>> talks;
    for (std::uint16_t i = 0; i < 10; ++i) {
        talks.push_back(
            std::make_unique<Talk>(bench, Talk::Form{.port = static_cast<std::uint16_t>(1000 + i)}));
        talks.back()->shake();
    }
    for (auto& talk : talks) {
        talk->say(in, "OPTIONS sip:a SIP/2.0\r\nX: " + std::string(1000, 'a'));
    }
    EXPECT_LT(bench.table_.stored(), 6100U);
    EXPECT_EQ(knock(bench, "192.0.2.77", 1, true), STEM_TCP_LIMIT);
    EXPECT_EQ(bench.last_to(in)->segment.window, 0);
}

// Who is not known and does not read what is for him takes no room of those who are.
TEST(Limits, UnknownSourcesLeaveAQuarterOfTheOctetsToKnownOnes) {
    for (const bool v4 : {true, false}) {
        Bench bench({.total = 40000});
        std::vector<std::unique_ptr<Talk>> talks;
        for (std::uint16_t i = 0; i < 20; ++i) {
            talks.push_back(std::make_unique<Talk>(
                bench,
                Talk::Form{
                    .v4 = v4, .window = 0, .known = false, .port = static_cast<std::uint16_t>(1000 + i)}));
            talks.back()->shake();
            for (int message = 0; message < 4; ++message) { // what the server answers is not read
                talks.back()->say(out,
                                  "SIP/2.0 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'b'));
            }
        }
        EXPECT_LT(bench.table_.stored(), 33000U);
        EXPECT_EQ(knock(bench, v4 ? "192.0.2.77" : "2001:db8:7::1", 1), STEM_TCP_LIMIT);
        bench.take_sent();
        Talk known(bench, {.v4 = v4, .known = true, .port = 2000});
        known.shake();
        const std::string message = sip("OPTIONS", "1");
        known.say(in, message);
        ASSERT_NE(bench.last_to(in), nullptr) << "not even let in";
        EXPECT_GT(bench.last_to(in)->segment.window, 50000);
        EXPECT_EQ(known.hear(out), message);
    }
}

TEST(Limits, OctetsOfOneUnknownSourceHaveALimit) {
    for (const bool v4 : {true, false}) {
        Bench bench({.total_per_source = 5000});
        std::vector<std::unique_ptr<Talk>> talks;
        for (std::uint16_t i = 0; i < 10; ++i) {
            talks.push_back(std::make_unique<Talk>(
                bench, Talk::Form{.v4 = v4, .known = false, .port = static_cast<std::uint16_t>(1000 + i)}));
            talks.back()->shake();
            talks.back()->say(in, "OPTIONS sip:a SIP/2.0\r\nX: " + std::string(1000, 'a'));
        }
        EXPECT_LT(bench.table_.stored(), 6100U);
        EXPECT_EQ(knock(bench, v4 ? "192.0.2.1" : "2001:db8::9", 1), STEM_TCP_LIMIT); // the same /64
        EXPECT_EQ(knock(bench, v4 ? "192.0.2.2" : "2001:db8:0:1::1", 1), STEM_TCP_TAKEN);
        for (auto& talk : talks) { // who becomes known takes what it has with it
            talk->form_.known = true;
            talk->acknowledge(in);
        }
        EXPECT_EQ(knock(bench, v4 ? "192.0.2.1" : "2001:db8::9", 2), STEM_TCP_TAKEN);
        bench.advance(10'001 * ms); // slow: reset
        EXPECT_EQ(bench.table_.stored(), 0U);
    }
}

// An octet for each question after its closed window keeps no connection.
TEST(Limits, AnEndThatTakesAnOctetNowAndThenEndsTheConnection) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.form_.window = 0;
    talk.acknowledge(out);
    talk.say(in, sip("MESSAGE", "1", std::string(3000, 'b')));
    talk.hear(out);
    for (int second = 0; second < 150 && bench.ended_.empty(); ++second) {
        bench.advance(1'000 * ms);
        if (!talk.hear(out).empty()) {
            talk.acknowledge(out);
        }
    }
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_UNACKNOWLEDGED);
    EXPECT_EQ(bench.table_.stored(), 0U);
}

// It has always something under way, but takes it.
TEST(Limits, AnEndThatTakesLittleSlowlyIsNotStalled) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    std::deque<Seq> to_acknowledge; // two round trips late
    for (int i = 0; i < 600; ++i) {
        talk.say(in, "\r\n\r\n");
        talk.hear(out);
        to_acknowledge.push_back(talk.received_[out]);
        if (to_acknowledge.size() > 2) {
            talk.say_at(out, talk.next_[out], {}, frame::tcp_ack, to_acknowledge.front());
            to_acknowledge.pop_front();
        }
        bench.advance(500 * ms);
    }
    EXPECT_TRUE(bench.ended_.empty()) << bench.ended_why_;
    EXPECT_EQ(bench.table_.open(), 1U);
}

TEST(Limits, AMessageOverItsBudgetWaits) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    bench.delay_once = 500 * ms;
    const std::string message = sip("INVITE", "1");
    talk.say(in, message);
    EXPECT_TRUE(bench.messages_.empty());
    bench.advance(499 * ms);
    EXPECT_TRUE(bench.messages_.empty());
    bench.advance(2 * ms);
    EXPECT_EQ(bench.messages_.size(), 1U);
    EXPECT_EQ(talk.hear(out), message);
}

TEST(Limits, AnOversizedMessageEndsItsConnection) {
    Bench bench;
    Talk talk(bench);
    talk.shake();
    talk.say(in, "OPTIONS sip:a SIP/2.0\r\nContent-Length: 100000\r\n\r\n");
    ASSERT_EQ(bench.ended_.size(), 1U);
    EXPECT_EQ(bench.ended_[0].second, STEM_TCP_OVER_LIMIT);
}

} // namespace
} // namespace stem::tcp
