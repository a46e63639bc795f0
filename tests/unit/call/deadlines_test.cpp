// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/deadlines.h"

#include <gtest/gtest.h>

#include <string>

namespace stem::call {
namespace {

std::string all_due(Deadlines<std::string>& deadlines, std::uint64_t now_ns) {
    std::string order;
    while (const auto due = deadlines.take_due(now_ns)) {
        order += *due;
    }
    return order;
}

TEST(Deadlines, NothingIsDueBeforeItsTime) {
    Deadlines<std::string> deadlines;
    EXPECT_FALSE(deadlines.take_due(~std::uint64_t{0}));
    deadlines.add(100, "a");
    EXPECT_FALSE(deadlines.take_due(99));
    EXPECT_EQ(deadlines.take_due(100), "a");
    EXPECT_FALSE(deadlines.take_due(100));
}

TEST(Deadlines, TheEarliestComesFirstInWhateverOrderTheyWereAdded) {
    Deadlines<std::string> deadlines;
    for (const std::uint64_t at : {5U, 1U, 9U, 3U, 7U, 2U, 8U, 4U, 6U}) {
        deadlines.add(at, std::to_string(at));
    }
    EXPECT_EQ(all_due(deadlines, 4), "1234");
    deadlines.add(2, "late");
    EXPECT_EQ(all_due(deadlines, 100), "late56789");
}

TEST(Deadlines, EqualOnesComeInTheOrderInWhichTheyWereAdded) {
    Deadlines<std::string> deadlines;
    std::string added;
    for (char name = 'a'; name <= 'z'; ++name) {
        deadlines.add(7, std::string(1, name));
        added += name;
    }
    EXPECT_EQ(all_due(deadlines, 7), added);
}

} // namespace
} // namespace stem::call
