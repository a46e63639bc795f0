// SPDX-License-Identifier: Apache-2.0
#include <ctl/xsk/frame_pool.h>

#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

namespace stem::xsk {
namespace {

static_assert(!std::is_copy_constructible_v<Frame> && !std::is_copy_assignable_v<Frame>);
static_assert(std::is_nothrow_move_constructible_v<Frame> && std::is_nothrow_move_assignable_v<Frame>);

std::unique_ptr<FramePool> pool_of(std::uint32_t chunks) {
    auto pool = FramePool::create(chunks);
    EXPECT_TRUE(pool) << pool.error().message();
    return std::move(*pool);
}

TEST(FramePool, RefusesSizesOutOfRange) {
    EXPECT_FALSE(FramePool::create(0));
    const auto huge = FramePool::create(0xffffffff);
    ASSERT_FALSE(huge);
    EXPECT_FALSE(huge.error().remedy.empty());
}

TEST(FramePool, GetsBackWhatIsLetGo) {
    const auto pool = pool_of(4);
    {
        std::vector<Frame> frames;
        for (Frame frame = pool->allocate(); frame; frame = pool->allocate()) {
            frames.push_back(std::move(frame));
        }
        EXPECT_EQ(frames.size(), 4U);
        EXPECT_EQ(pool->free(), 0U);
        EXPECT_EQ(pool->held(), 4U);
        EXPECT_FALSE(pool->allocate());
        frames[2].drop();
        EXPECT_FALSE(frames[2]);
        EXPECT_EQ(pool->free(), 1U);
    }
    EXPECT_EQ(pool->free(), 4U);
    EXPECT_EQ(pool->held(), 0U);
}

TEST(FramePool, MovesOwnershipOnce) {
    const auto pool = pool_of(2);
    Frame first = pool->allocate();
    Frame second = std::move(first);
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move): that it is empty is what is tested
    EXPECT_TRUE(Frame{}.bytes().empty());
    EXPECT_EQ(pool->held(), 1U);
    Frame third = pool->allocate();
    third = std::move(second); // the chunk that `third` had goes back
    EXPECT_EQ(pool->held(), 1U);
    EXPECT_EQ(pool->free(), 1U);
    Frame& same = third;
    third = std::move(same);
    EXPECT_TRUE(third);
    EXPECT_EQ(pool->held(), 1U);
}

TEST(FramePool, GivesEachFrameItsOwnMemory) {
    const auto pool = pool_of(3);
    std::vector<Frame> frames;
    for (std::uint8_t mark = 1; mark <= 3; ++mark) {
        Frame frame = pool->allocate();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame.buffer().size(), frame_capacity);
        EXPECT_EQ(frame.headroom().size(), packet_headroom);
        EXPECT_TRUE(frame.bytes().empty());
        ASSERT_TRUE(frame.resize(frame_capacity));
        std::fill(frame.bytes().begin(), frame.bytes().end(), mark);
        frames.push_back(std::move(frame));
    }
    for (std::uint8_t mark = 1; mark <= 3; ++mark) {
        EXPECT_EQ(frames[mark - 1U].bytes().front(), mark);
        EXPECT_EQ(frames[mark - 1U].bytes().back(), mark);
    }
    EXPECT_FALSE(frames[0].resize(frame_capacity + 1));
    EXPECT_EQ(frames[0].bytes().size(), frame_capacity);
}

TEST(FramePool, FollowsAChunkThroughTheKernel) {
    const auto pool = pool_of(2);
    const auto lent = pool->lend_free(7);
    ASSERT_TRUE(lent);
    EXPECT_EQ(*lent % chunk_size, 0U);
    EXPECT_EQ(pool->free(), 1U);
    EXPECT_EQ(pool->held(), 0U);
    Frame frame = pool->receive(*lent + packet_headroom, 60, 7, 3);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame.bytes().size(), 60U);
    EXPECT_EQ(frame.queue(), 3);
    EXPECT_EQ(pool->held(), 1U);
    const std::uint64_t sent = pool->lend_frame(std::move(frame), 9);
    EXPECT_EQ(sent, *lent + packet_headroom);
    EXPECT_FALSE(frame); // NOLINT(bugprone-use-after-move): it has been sent
    EXPECT_EQ(pool->held(), 0U);
    EXPECT_TRUE(pool->complete(sent, 9));
    EXPECT_EQ(pool->free(), 2U);
    EXPECT_EQ(pool->faults(), 0U);
}

TEST(FramePool, RecoversWhatAClosedSocketHad) {
    const auto pool = pool_of(8);
    const auto one = pool->lend_free(1);
    const auto other = pool->lend_free(2);
    ASSERT_TRUE(one && other);
    const std::uint64_t sent = pool->lend_frame(pool->allocate(), 1);
    const Frame held = pool->allocate();
    EXPECT_NE(sent, *one);
    EXPECT_EQ(pool->free(), 4U);
    EXPECT_EQ(pool->recover(1), 2U);
    EXPECT_EQ(pool->free(), 6U);
    EXPECT_EQ(pool->recover(1), 0U);
    EXPECT_EQ(pool->recover(2), 1U);
    EXPECT_EQ(pool->free() + pool->held(), 8U);
}

// What a broken ring could hand us: a debug build stops at once, a release build counts and does not double.
template<typename Action>
void expect_fault(Action action) {
#ifdef NDEBUG
    const auto pool = pool_of(2);
    action(*pool);
    EXPECT_EQ(pool->faults(), 1U);
    EXPECT_LE(pool->free() + pool->held(), 2U);
#else
    EXPECT_DEATH(
        {
            const auto pool = pool_of(2);
            action(*pool);
        },
        "frame pool");
#endif
}

TEST(FramePoolDeathTest, SeesWhatIsReturnedTwiceOrByAStranger) {
    expect_fault([](FramePool& pool) {
        const std::uint64_t sent = pool.lend_frame(pool.allocate(), 1);
        pool.complete(sent, 1);
        EXPECT_FALSE(pool.complete(sent, 1));
    });
    expect_fault([](FramePool& pool) {
        const auto lent = pool.lend_free(1);
        EXPECT_FALSE(pool.receive(lent.value_or(0), 60, 2, 0));
    });
    expect_fault([](FramePool& pool) { EXPECT_FALSE(pool.receive(0, 60, 1, 0)); });
    expect_fault([](FramePool& pool) { EXPECT_FALSE(pool.complete(std::uint64_t{2} * chunk_size, 1)); });
    expect_fault([](FramePool& pool) {
        const auto lent = pool.lend_free(1);
        EXPECT_FALSE(pool.receive(lent.value_or(0) + 4000, 97, 1, 0));
    });
}

} // namespace
} // namespace stem::xsk
