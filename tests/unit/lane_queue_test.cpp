// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/lane_queue.h"

#include <gtest/gtest.h>

#include <memory>

namespace stem::stemd {
namespace {

using Item = std::unique_ptr<int>; // frames cannot be copied either

TEST(LaneQueue, ServesInOrder) {
    LaneQueue<Item> queue(3);
    for (int i = 1; i <= 3; i++) {
        EXPECT_FALSE(queue.push(std::make_unique<int>(i)));
    }
    EXPECT_EQ(queue.size(), 3U);
    for (int i = 1; i <= 3; i++) {
        EXPECT_EQ(**queue.take(), i);
    }
    EXPECT_FALSE(queue.take());
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.displaced(), 0U);
}

TEST(LaneQueue, TheOldestGoesWhenItIsFull) {
    LaneQueue<Item> queue(2);
    (void)queue.push(std::make_unique<int>(1));
    (void)queue.push(std::make_unique<int>(2));
    const auto displaced = queue.push(std::make_unique<int>(3));
    ASSERT_TRUE(displaced);
    EXPECT_EQ(**displaced, 1);
    EXPECT_EQ(queue.displaced(), 1U);
    EXPECT_EQ(**queue.take(), 2);
    EXPECT_EQ(**queue.take(), 3);
}

TEST(LaneQueue, WithoutRoomGivesBackWhatCame) {
    LaneQueue<Item> queue(0);
    const auto displaced = queue.push(std::make_unique<int>(1));
    ASSERT_TRUE(displaced);
    EXPECT_EQ(**displaced, 1);
    EXPECT_EQ(queue.displaced(), 1U);
    EXPECT_TRUE(queue.empty());
}

} // namespace
} // namespace stem::stemd
