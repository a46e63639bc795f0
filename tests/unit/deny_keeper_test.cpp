// SPDX-License-Identifier: Apache-2.0
// What stemd says of full tables, and how it shortens notes.
#include "ctl/stemd/deny_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

namespace stem::stemd {
namespace {

using testing::HasSubstr;

class FullWatchTest : public testing::Test {
  protected:
    FullWatchTest() : before_(spdlog::default_logger()) {
        auto logger = std::make_shared<spdlog::logger>(
            "test", std::make_shared<spdlog::sinks::ostream_sink_st>(lines_));
        logger->set_pattern("%l %v");
        spdlog::set_default_logger(std::move(logger));
    }
    ~FullWatchTest() override { spdlog::set_default_logger(before_); }

    // What the watch says when `used` of ten streams are there.
    std::string said_of(std::uint32_t used) {
        kernel::DenyUse use{};
        for (std::size_t table = 0; table < use.size(); table++) {
            use[table] = {
                .table = static_cast<stem_deny_table>(table), .used = 1, .capacity = 10, .refused = 0};
        }
        use[STEM_DENY_TABLE_STREAMS].used = used;
        use[STEM_DENY_TABLE_STREAMS].refused = used == 10 ? 7 : 9;
        lines_.str("");
        watch_.see(use);
        return lines_.str();
    }

    FullWatch watch_;
    std::ostringstream lines_;
    std::shared_ptr<spdlog::logger> before_;
};

TEST_F(FullWatchTest, SpeaksOnceForEachChange) {
    EXPECT_EQ(said_of(9), "");
    const std::string full = said_of(10);
    EXPECT_THAT(full, HasSubstr("warning the table of signalling streams is full (10 entries)"));
    EXPECT_THAT(full, HasSubstr("7 found no room"));
    EXPECT_EQ(said_of(10), "");
    EXPECT_EQ(said_of(10), "");
    EXPECT_THAT(said_of(9),
                HasSubstr("the table of signalling streams has room again: 9 of 10; 9 found none"));
    EXPECT_EQ(said_of(0), "");
    EXPECT_THAT(said_of(10), HasSubstr("is full"));
}

TEST(CutTo, KeepsWholeCharacters) {
    EXPECT_EQ(cut_to("short", 35), "short");
    EXPECT_EQ(cut_to("exactly5", 8), "exactly5");
    EXPECT_EQ(cut_to("abcdef", 3), "abc");
    EXPECT_EQ(cut_to("ab\xc3\xa4", 4), "ab\xc3\xa4");
    EXPECT_EQ(cut_to("ab\xc3\xa4", 3), "ab");
    EXPECT_EQ(cut_to("\xe2\x82\xac", 2), "");
}

} // namespace
} // namespace stem::stemd
