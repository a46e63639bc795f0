// SPDX-License-Identifier: Apache-2.0
#include "sm/shared_counts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stem::sm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr bool connected = true;
constexpr bool away = false;

constexpr std::chrono::system_clock::time_point noon =
    std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + 12h;

SharedCounts counts(const std::string& firewall, bool is_connected, std::uint32_t calls) {
    return {{firewall,
             {.connected = is_connected,
              .counts = {{"user alice", calls}},
              .left = is_connected ? noon - 1h : noon}}};
}
ToldCounts told(const std::string& firewall, bool is_connected, std::uint32_t calls,
                std::chrono::system_clock::time_point at = noon + 5s) {
    return {.counts = counts(firewall, is_connected, calls), .at = at};
}

TEST(SharedCounts, AreReadAsTheyAreWritten) {
    const SharedCounts all = {
        {"firewall fw1", {.connected = true, .counts = {{"user alice", 2}, {"limit a of b", 1}}, .left = {}}},
        {"firewall fw2", {.connected = false, .counts = {}, .left = {}}}};
    const auto read = shared_counts_from(to_text(all));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, all);
}

TEST(SharedCounts, OtherTextIsRefused) {
    for (const char* text :
         {"", "[]", "{", "{\"a\": 1}", "{\"a\": {}}", "{\"a\": {\"counts\": {\"user x\": -1}}}",
          "{\"a\": {\"counts\": {\"user x\": 1.5}}}", "{\"a\": {\"counts\": {\"user x\": 4294967296}}}",
          "{\"a\": {\"counts\": {\"user x\": \"1\"}}}", "{\"a\": {\"counts\": {}, \"more\": 1}}",
          "{\"a\": {\"connected\": 1, \"counts\": {}}}"}) {
        EXPECT_FALSE(shared_counts_from(text)) << text;
    }
}

TEST(SharedCounts, WhatOthersCountIsAdded) {
    const std::vector<ToldCounts> others = {told("firewall fw2", connected, 2),
                                            told("firewall fw3", connected, 3)};
    const auto elsewhere = counted_elsewhere(counts("firewall fw1", connected, 1), others);
    EXPECT_THAT(elsewhere.counts, UnorderedElementsAre(Pair("user alice", 5)));
    EXPECT_THAT(elsewhere.moved, IsEmpty());
}

// The manager that it was connected to was killed a moment ago, or has not noticed yet.
TEST(SharedCounts, AFirewallThatCameToUsCountsHereAlone) {
    for (const bool there : {connected, away}) {
        const std::vector<ToldCounts> others = {told("firewall fw1", there, 2)};
        const auto elsewhere = counted_elsewhere(counts("firewall fw1", connected, 2), others);
        EXPECT_THAT(elsewhere.counts, IsEmpty());
        EXPECT_THAT(elsewhere.moved, IsEmpty());
    }
}

TEST(SharedCounts, AFirewallThatLeftUsCountsWhereItIs) {
    const std::vector<ToldCounts> others = {told("firewall fw1", connected, 2)};
    const auto elsewhere = counted_elsewhere(counts("firewall fw1", away, 1), others);
    EXPECT_THAT(elsewhere.counts, UnorderedElementsAre(Pair("user alice", 2)));
    EXPECT_THAT(elsewhere.moved, ElementsAre("firewall fw1"));
}

// It came from a manager that was killed, and left again: what that one said last is no news.
TEST(SharedCounts, WhoHadItBeforeUsHasItNoMore) {
    const std::vector<ToldCounts> others = {told("firewall fw1", connected, 2, noon + 1s)};
    const auto elsewhere = counted_elsewhere(counts("firewall fw1", away, 2), others);
    EXPECT_THAT(elsewhere.counts, IsEmpty());
    EXPECT_THAT(elsewhere.moved, IsEmpty());
}

TEST(SharedCounts, OneThatIsNowhereCountsOnce) {
    const std::vector<ToldCounts> others = {told("firewall fw1", away, 2), told("firewall fw2", away, 3),
                                            told("firewall fw2", away, 3)};
    const auto elsewhere = counted_elsewhere(counts("firewall fw1", away, 2), others);
    EXPECT_THAT(elsewhere.counts, UnorderedElementsAre(Pair("user alice", 3)));
    EXPECT_THAT(elsewhere.moved, IsEmpty());
}

TEST(SharedCounts, OfTwoThatHaveItTheLastWordCounts) {
    const std::vector<ToldCounts> killed_first = {told("firewall fw1", connected, 2),
                                                  told("firewall fw1", connected, 1)};
    EXPECT_THAT(counted_elsewhere({}, killed_first).counts, UnorderedElementsAre(Pair("user alice", 1)));
    const std::vector<ToldCounts> left = {told("firewall fw1", connected, 1), told("firewall fw1", away, 2)};
    EXPECT_THAT(counted_elsewhere({}, left).counts, UnorderedElementsAre(Pair("user alice", 1)))
        << "where it is goes before where it was";
}

} // namespace
} // namespace stem::sm
