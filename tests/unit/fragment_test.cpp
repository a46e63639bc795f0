// SPDX-License-Identifier: Apache-2.0
// Fragments of SIP: any order, no overlap, and quotas that hold.
#include "ctl/fragment/reassembly.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace stem::fragment {
namespace {

constexpr std::uint64_t millisecond = 1'000'000;

class Text final : public Holder {
  public:
    explicit Text(std::string octets) : octets_(std::move(octets)) { ++alive; }
    ~Text() override { --alive; }
    [[nodiscard]] std::span<const std::uint8_t> span() const {
        return {reinterpret_cast<const std::uint8_t*>(octets_.data()), octets_.size()};
    }
    static inline int alive = 0;

  private:
    std::string octets_;
};

Key key_of(const char* source, std::uint32_t id = 1) {
    Key key;
    key.source = Address::parse(source)->raw();
    key.destination = Address::parse("198.51.100.1")->raw();
    key.id = id;
    return key;
}

Piece piece(std::size_t offset, const std::string& octets, bool more) {
    auto holder = std::make_unique<Text>(octets);
    const auto span = holder->span();
    return {.offset = offset, .more = more, .octets = span, .holder = std::move(holder)};
}

std::string text(const std::vector<Piece>& pieces) {
    std::string all;
    for (const Piece& each : pieces) {
        all.append(reinterpret_cast<const char*>(each.octets.data()), each.octets.size());
    }
    return all;
}

const std::string sixteen = "0123456789abcdef";

class Fragments : public ::testing::TestWithParam<const char*> {
  protected:
    ~Fragments() override {
        last = {};
        reassembly = Reassembly({});
        EXPECT_EQ(Text::alive, 0) << "every frame is given back";
    }
    Outcome add(std::size_t offset, const std::string& octets, bool more, std::uint32_t id = 1) {
        last = reassembly.add(key_of(GetParam(), id), piece(offset, octets, more), now);
        return last.outcome;
    }

    Reassembly reassembly{Limits{}};
    Added last;
    std::uint64_t now = 1000 * millisecond;
};
INSTANTIATE_TEST_SUITE_P(Families, Fragments, ::testing::Values("192.0.2.1", "2001:db8::1"),
                         [](const auto& family) { return family.param[0] == '1' ? "v4" : "v6"; });

TEST_P(Fragments, InOrderAndOutOfOrder) {
    EXPECT_EQ(add(0, sixteen, true), Outcome::waits);
    EXPECT_EQ(add(16, "tail", false), Outcome::whole);
    EXPECT_EQ(text(last.pieces), sixteen + "tail");
    EXPECT_EQ(reassembly.datagrams(), 0U);
    EXPECT_EQ(reassembly.octets(), 0U);
    // Every order of four.
    std::vector<int> order{0, 1, 2, 3};
    do {
        for (std::size_t n = 0; n < 4; n++) {
            const int which = order[n];
            const auto outcome =
                add(static_cast<std::size_t>(which) * 16, which == 3 ? "end" : sixteen, which != 3);
            EXPECT_EQ(outcome, n == 3 ? Outcome::whole : Outcome::waits);
        }
        EXPECT_EQ(text(last.pieces), sixteen + sixteen + sixteen + "end");
    } while (std::ranges::next_permutation(order).found);
}

TEST_P(Fragments, OverlapsEndTheDatagram) { // RFC 5722
    const struct {
        std::size_t offset;
        const char* octets;
        bool more;
    } bad[] = {{0, "xxxxxxxx", true},         // the start of what is there
               {8, "xxxxxxxx", true},         // within it
               {8, "xxxxxxxxxxxxxxxx", true}, // across its end
               {0, "xxxxxxxxxxxxxxxxxxxxxxxx", true},
               {0, "0123456789abcdeX", true},  // the same place, other octets
               {0, "0123456789abcdef", false}, // the same octets, and the last
               {8, "xx", false}};
    std::uint32_t id = 10;
    for (const auto& each : bad) {
        EXPECT_EQ(add(0, sixteen, true, ++id), Outcome::waits);
        EXPECT_EQ(add(each.offset, each.octets, each.more, id), Outcome::form) << each.octets;
        EXPECT_EQ(last.pieces.size(), 2U) << "both go";
        EXPECT_EQ(add(16, "tail", false, id), Outcome::form) << "and what comes later";
        EXPECT_EQ(add(0, sixteen, true, id), Outcome::form);
    }
    EXPECT_EQ(reassembly.octets(), 0U);
}

TEST_P(Fragments, WhatIsBehindTheLastIsForm) {
    EXPECT_EQ(add(16, "tail", false), Outcome::waits);
    EXPECT_EQ(add(24, sixteen, true), Outcome::form);
    EXPECT_EQ(add(32, sixteen, true, 2), Outcome::waits);
    EXPECT_EQ(add(16, "tail", false, 2), Outcome::form);
    EXPECT_EQ(add(16, "tail", false, 3), Outcome::waits);
    EXPECT_EQ(add(24, "tail", false, 3), Outcome::form) << "two last ones";
}

TEST_P(Fragments, SizesAreOfWholeUnits) {
    EXPECT_EQ(add(0, "1234567", true), Outcome::form);
    EXPECT_EQ(add(0, "", true, 2), Outcome::form);
    EXPECT_EQ(add(0, "", false, 3), Outcome::form);
    EXPECT_EQ(add(9216, "x", false, 4), Outcome::form) << "more than a datagram may have";
    EXPECT_EQ(add(9208, "12345678", false, 5), Outcome::waits);
}

TEST_P(Fragments, ExactCopiesAreLeftOut) {
    EXPECT_EQ(add(0, sixteen, true), Outcome::waits);
    EXPECT_EQ(add(0, sixteen, true), Outcome::repeated);
    EXPECT_EQ(last.pieces.size(), 1U);
    EXPECT_EQ(add(16, "tail", false), Outcome::whole);
}

TEST_P(Fragments, TimeIsBounded) {
    EXPECT_EQ(add(0, sixteen, true), Outcome::waits);
    now += 1999 * millisecond;
    EXPECT_TRUE(reassembly.expire(now).empty());
    now += millisecond;
    EXPECT_EQ(add(16, "tail", false), Outcome::limit) << "too late by itself";
    EXPECT_EQ(reassembly.expire(now).size(), 1U);
    EXPECT_EQ(reassembly.counts().expired, 1U);
    EXPECT_EQ(reassembly.datagrams(), 0U);
    EXPECT_EQ(add(0, sixteen, true), Outcome::waits) << "its name is free again";
}

TEST_P(Fragments, OneSourceHasItsQuota) {
    for (std::uint32_t id = 1; id <= 8; id++) {
        EXPECT_EQ(add(0, sixteen, true, id), Outcome::waits);
    }
    EXPECT_EQ(add(0, sixteen, true, 9), Outcome::limit);
    EXPECT_EQ(reassembly.add(key_of("203.0.113.9"), piece(0, sixteen, true), now).outcome, Outcome::waits)
        << "others have theirs";
    EXPECT_EQ(add(16, "tail", false, 3), Outcome::whole) << "what has begun goes on";
    EXPECT_EQ(add(0, sixteen, true, 9), Outcome::waits);
    const std::string large(8192, 'x');
    std::size_t taken = 0;
    for (std::uint32_t id = 1; id <= 8; id++) {
        taken += add(16, large, true, id) == Outcome::waits ? 1U : 0U;
    }
    EXPECT_EQ(taken, 7U) << "64 KiB, the small ones counted";
}

TEST_P(Fragments, AllTogetherHaveTheirs) {
    std::size_t taken = 0;
    for (int host = 0; host < 400; host++) {
        const std::string source = "10.1." + std::to_string(host / 200) + "." + std::to_string(host % 200);
        taken +=
            reassembly.add(key_of(source.c_str()), piece(0, sixteen, true), now).outcome == Outcome::waits
                ? 1U
                : 0U;
    }
    EXPECT_EQ(taken, 256U);
    EXPECT_EQ(reassembly.counts().refused, 144U);
    EXPECT_EQ(reassembly.clear().size(), 256U);
    EXPECT_EQ(reassembly.octets(), 0U);
}

TEST_P(Fragments, OneDatagramHasSoManyPieces) {
    for (std::size_t n = 0; n < 16; n++) {
        EXPECT_EQ(add(n * 16, sixteen, true), Outcome::waits);
    }
    EXPECT_EQ(add(256, sixteen, true), Outcome::form);
}

TEST(FragmentSources, ANetworkOfIpv6IsOneSource) {
    Reassembly reassembly{Limits{}};
    std::size_t taken = 0;
    for (int host = 1; host <= 20; host++) {
        const std::string source = "2001:db8:1:2::" + std::to_string(host);
        taken += reassembly.add(key_of(source.c_str()), piece(0, sixteen, true), 1).outcome == Outcome::waits
                     ? 1U
                     : 0U;
    }
    EXPECT_EQ(taken, 8U);
}

// Whatever comes, what is given out as whole is what one receiver puts together, and nothing is lost.
TEST(FragmentChaos, FramesAreNeitherLostNorDoubled) {
    std::mt19937 random(7);
    Reassembly reassembly(Limits{.datagrams = 8,
                                 .datagrams_per_source = 4,
                                 .octets = 4096,
                                 .octets_per_source = 2048,
                                 .fragments = 4,
                                 .datagram = 256});
    std::uint64_t now = 1;
    int given = 0;
    int back = 0;
    for (int round = 0; round < 100'000; round++) {
        now += random() % (40 * millisecond);
        const Key key =
            key_of(random() % 2 == 0 ? "192.0.2.1" : "192.0.2.2", static_cast<std::uint32_t>(random() % 6));
        const std::size_t units = random() % 4;
        ++given;
        const Added added =
            reassembly.add(key,
                           piece(random() % 8 * 8, std::string(units * 8 + (random() % 8 == 0 ? 3 : 0), 'x'),
                                 random() % 3 != 0),
                           now);
        back += static_cast<int>(added.pieces.size());
        if (added.outcome == Outcome::whole) {
            std::size_t at = 0;
            for (const Piece& each : added.pieces) {
                ASSERT_EQ(each.offset, at);
                at += each.octets.size();
            }
            ASSERT_FALSE(added.pieces.back().more);
        }
        if (round % 16 == 0) {
            back += static_cast<int>(reassembly.expire(now).size());
        }
        ASSERT_LE(reassembly.octets(), 4096U);
        ASSERT_LE(reassembly.datagrams(), 8U);
    }
    back += static_cast<int>(reassembly.clear().size());
    EXPECT_EQ(given, back);
    EXPECT_GT(reassembly.counts().whole, 100U);
}

} // namespace
} // namespace stem::fragment
