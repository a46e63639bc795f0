// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/reassembly.h>
#include <ctl/tcp/sender.h>

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace stem::tcp {
namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr Seq first = 0xfffffff0;

std::vector<Sender::Piece> pull_all(Sender& sender, std::uint64_t now) {
    std::vector<Sender::Piece> pieces;
    while (const auto piece = sender.pull(now)) {
        pieces.push_back(*piece);
    }
    return pieces;
}

TEST(Sender, CutsIntoSegmentsAcrossTheEndOfTheNumbers) {
    Sender sender(first, 10, 5, 200);
    sender.acknowledge(first, 1000, true, 0);
    sender.append("0123456789abcdefghij");
    sender.finish();
    const auto pieces = pull_all(sender, 0);
    ASSERT_EQ(pieces.size(), 2U);
    EXPECT_EQ(pieces[0].sequence, first);
    EXPECT_EQ(pieces[0].octets, "0123456789");
    EXPECT_FALSE(pieces[0].fin);
    EXPECT_EQ(pieces[1].sequence, first + 10);
    EXPECT_TRUE(pieces[1].fin && pieces[1].last);
    EXPECT_EQ(sender.next(), 5U); // 20 octets and the FIN behind 0xfffffff0
    EXPECT_TRUE(sender.acknowledge(5, 1000, true, 1));
    EXPECT_TRUE(sender.done());
    EXPECT_EQ(sender.deadline(), 0U);
    EXPECT_FALSE(sender.acknowledge(6, 1000, true, 1)); // never sent
}

TEST(Sender, KeepsToTheWindow) {
    Sender sender(first, 10, 5, 200);
    sender.acknowledge(first, 15, true, 0);
    sender.append(std::string(40, 'x'));
    auto pieces = pull_all(sender, 0);
    ASSERT_EQ(pieces.size(), 1U); // a small segment behind one under way would be silly
    EXPECT_EQ(pieces[0].octets.size(), 10U);
    sender.acknowledge(first + 10, 0, true, ms);
    EXPECT_TRUE(pull_all(sender, ms).empty());
    EXPECT_NE(sender.deadline(), 0U);
    // The window is closed: it is asked after, with one octet, less and less often.
    std::uint64_t now = ms;
    std::uint64_t waited = 0;
    for (int i = 0; i < 3; ++i) {
        const std::uint64_t wait = sender.deadline() - now;
        EXPECT_GT(wait, waited);
        waited = wait;
        now = sender.deadline();
        sender.fire(now);
        pieces = pull_all(sender, now);
        ASSERT_EQ(pieces.size(), 1U);
        EXPECT_EQ(pieces[0].sequence, first + 10);
        EXPECT_EQ(pieces[0].octets.size(), 1U);
        sender.acknowledge(first + 10, 0, true, now);
    }
    sender.acknowledge(first + 10, 100, true, now);
    pieces = pull_all(sender, now); // open again: from the octet that was not taken on
    ASSERT_EQ(pieces.size(), 3U);
    EXPECT_EQ(pieces[0].sequence, first + 10);
    EXPECT_EQ(pieces[0].octets.size(), 10U);
}

TEST(Sender, RepeatsWhatIsNotAcknowledged) {
    Sender sender(first, 10, 5, 200);
    sender.acknowledge(first, 1000, true, 0);
    sender.append("hello");
    EXPECT_EQ(pull_all(sender, 0).size(), 1U);
    EXPECT_EQ(sender.deadline(), Sender::first_timeout_ns);
    sender.fire(sender.deadline() - 1);
    EXPECT_TRUE(pull_all(sender, sender.deadline() - 1).empty());
    std::uint64_t now = sender.deadline();
    sender.fire(now);
    auto pieces = pull_all(sender, now);
    ASSERT_EQ(pieces.size(), 1U);
    EXPECT_EQ(pieces[0].octets, "hello");
    EXPECT_EQ(sender.deadline(), now + 2 * Sender::first_timeout_ns);
    EXPECT_EQ(sender.repeated(), 1U);
    sender.acknowledge(first + 5, 1000, true, now);
    EXPECT_EQ(sender.deadline(), 0U);
}

TEST(Sender, RepeatsAtOnceWhenThreeSayThatOneIsMissing) {
    Sender sender(first, 10, 5, 200);
    sender.acknowledge(first, 1000, true, 0);
    sender.append(std::string(60, 'x'));
    EXPECT_EQ(pull_all(sender, 0).size(), 6U);
    sender.acknowledge(first, 1000, true, ms);
    sender.acknowledge(first, 1000, true, ms);
    EXPECT_TRUE(pull_all(sender, ms).empty());
    sender.acknowledge(first, 1000, true, ms);
    const auto pieces = pull_all(sender, ms);
    ASSERT_EQ(pieces.size(), 1U);
    EXPECT_EQ(pieces[0].sequence, first);
    EXPECT_EQ(pieces[0].octets.size(), 10U);
}

TEST(Sender, SendsSmallerSegmentsWhereLargeOnesDoNotArrive) {
    Sender sender(first, 1000, 500, 200);
    sender.acknowledge(first, 60000, true, 0);
    sender.append(std::string(3000, 'x'));
    EXPECT_EQ(pull_all(sender, 0).size(), 3U);
    for (int i = 0; i < 2; ++i) {
        const std::uint64_t now = sender.deadline();
        sender.fire(now);
        const auto pieces = pull_all(sender, now);
        ASSERT_EQ(pieces.size(), 1U);
        EXPECT_EQ(pieces[0].octets.size(), i == 0 ? 1000U : 500U);
    }
}

TEST(Sender, WhatIsTakenCountsAsTheTimeThatItMayTake) {
    Sender sender(first, 100, 50, 200);
    sender.acknowledge(first, 100, true, 0);
    sender.append(std::string(1000, 'x'));
    constexpr std::uint64_t second = 1000 * ms;
    pull_all(sender, second);
    EXPECT_EQ(sender.stalled_since(), second);
    sender.append("more"); // is no part of what has to be taken first
    sender.acknowledge(first + 100, 100, true, 10 * second);
    EXPECT_EQ(sender.stalled_since(), second + 500 * ms); // 100 octets at 200 a second
    pull_all(sender, 10 * second);
    sender.acknowledge(first + 101, 100, true, 20 * second);
    EXPECT_EQ(sender.stalled_since(), second + 505 * ms);
    for (Seq taken = 100; taken < 1000;) {
        pull_all(sender, 30 * second);
        taken = std::min<Seq>(taken + 100, 1000);
        sender.acknowledge(first + taken, 100, true, 30 * second);
    }
    EXPECT_EQ(sender.stalled_since(), 30 * second); // all of it: what is left begins anew
    pull_all(sender, 30 * second);
    sender.acknowledge(first + 1004, 100, true, 31 * second);
    EXPECT_EQ(sender.stalled_since(), 0U);
}

// Two halves with a network between them that loses, repeats and swaps.
TEST(Sender, EverythingArrivesThroughALossyNetwork) {
    std::mt19937 random(7);
    for (int round = 0; round < 30; ++round) {
        const Seq start = 0xffff0000U + static_cast<Seq>(random());
        Sender sender(start, 100, 50, 200);
        Reassembly receiver(start, 2000);
        sender.acknowledge(start, 2000, true, 0);
        std::string sent;
        std::string received;
        std::vector<std::pair<Seq, std::string>> network;
        std::uint64_t now = 0;
        bool fin_arrived = false;
        for (int step = 0; step < 100000 && !sender.done(); ++step) {
            now += 5 * ms;
            if (sent.size() < 20000 && random() % 3 == 0) {
                const std::string some(random() % 400, static_cast<char>('a' + random() % 26));
                sender.append(some);
                sent += some;
            } else if (sent.size() >= 20000) {
                sender.finish();
            }
            sender.fire(now);
            while (const auto piece = sender.pull(now)) {
                if (random() % 10 != 0) {
                    network.emplace_back(piece->sequence,
                                         std::string(piece->octets) + (piece->fin ? "." : ""));
                }
            }
            while (!network.empty() && random() % 4 != 0) {
                const std::size_t which = random() % std::min<std::size_t>(network.size(), 3);
                const auto [sequence, octets] = network[which];
                if (random() % 20 != 0) {
                    network.erase(network.begin() + static_cast<std::ptrdiff_t>(which));
                }
                const bool fin = octets.ends_with('.');
                receiver.take(sequence, std::string_view(octets).substr(0, octets.size() - (fin ? 1 : 0)));
                fin_arrived = fin_arrived || (fin && receiver.next() == sequence + octets.size() - 1);
                received += receiver.ready();
                receiver.consume(receiver.ready().size());
                const Seq ack = receiver.next() + (fin_arrived && received.size() == sent.size() ? 1 : 0);
                if (random() % 10 != 0) {
                    sender.acknowledge(ack, static_cast<std::uint32_t>(2000 - receiver.stored()), true, now);
                }
            }
        }
        EXPECT_TRUE(sender.done()) << round;
        EXPECT_EQ(received, sent);
    }
}

} // namespace
} // namespace stem::tcp
