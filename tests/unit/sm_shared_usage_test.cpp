// SPDX-License-Identifier: Apache-2.0
// Limits of outgoing calls over several Security Managers: what they tell each other, and what comes of it.
#include "sm/limits.h"
#include "sm/shared_counts.h"
#include "sm/shared_usage.h"
#include "sm_fixture.h"

#include <gmock/gmock.h>

namespace stem::sm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::chrono::milliseconds nothing{0};

TEST(SharedUsage, IsReadAsItIsWrittenByAnotherClock) {
    const SharedUsage all = {{{"row", "alice"},
                              {.begun = {},
                               .row = {.callee = "+881",
                                       .calls = 3,
                                       .times = {monday_nine + 1ms, monday_nine + 2ms, monday_nine + 2s},
                                       .broken = monday_nine - 1s}}},
                             {{"rate", "*"}, {.begun = {{100'000, 2}, {100'001, 1}}, .row = {}}}};
    EXPECT_EQ(must(shared_usage_from(to_text(all, -1h), -1h)), all);
    const auto behind = must(shared_usage_from(to_text(all, 3s), 1s));
    EXPECT_EQ(behind.at({"row", "alice"}).row.times.back(), monday_nine + 4s);
    EXPECT_EQ(behind.at({"row", "alice"}).row.broken, monday_nine + 1s);
    EXPECT_THAT(behind.at({"rate", "*"}).begun, ElementsAre(Pair(100'002, 2), Pair(100'003, 1)));
    EXPECT_EQ(behind.at({"rate", "*"}).row.broken, TimePoint()) << "never stays never";
}

TEST(SharedUsage, OtherTextIsRefused) {
    for (const char* text :
         {"", "{}", "[", "[1]", "[{}]", R"([{"limit": "a"}])", R"([{"limit": "a", "user": "b", "more": 1}])",
          R"([{"limit": "a", "user": "b", "begun": 1}])", R"([{"limit": "a", "user": "b", "begun": [1]}])",
          R"([{"limit": "a", "user": "b", "begun": [[1, -1]]}])",
          R"([{"limit": "a", "user": "b", "begun": [[9223372036854775807, 1]]}])",
          R"([{"limit": "a", "user": "b", "callee": "c", "calls": 1}])",
          R"([{"limit": "a", "user": "b", "callee": "c", "calls": 1, "times": [1, 2]}])",
          R"([{"limit": "a", "user": "b", "callee": "c", "calls": 2, "times": [2, 1]}])",
          R"([{"limit": "a", "user": "b", "callee": "c", "calls": 1, "times": ["1"]}])",
          R"([{"limit": "a", "user": "b", "broken": 9223372036854775807}])"}) {
        EXPECT_FALSE(shared_usage_from(text, nothing)) << text;
    }
}

// Builds that do not know of it look at all rows as counts of calls.
TEST(SharedUsage, IsNothingToOlderBuilds) {
    EXPECT_FALSE(shared_counts_from(to_text({}, nothing)));
    EXPECT_FALSE(shared_counts_from(to_text({{{"rate", "*"}, {.begun = {{1000, 2}}, .row = {}}}}, nothing)));
}

// Security Managers over one database, whose clocks differ.
class SharedLimits : public DirectoryTest {
  protected:
    struct Manager {
        std::string name;
        std::chrono::milliseconds ahead; // the database's clock, of its own
        Limits limits = {};
    };
    void SetUp() override {
        must(directory().put_limit(
            {.name = "rate", .user = {}, .prefix = {}, .when = {}, .calls_per_minute = {{}, 3}}));
        must(directory().put_limit(
            {.name = "row", .user = {}, .prefix = {}, .when = {}, .sequential = {{}, 2}}));
        must(directory().put_limit(
            {.name = "other", .user = {}, .prefix = {}, .when = {}, .concurrent = {{}, 2}}));
    }
    [[nodiscard]] TimePoint clock_of(const Manager& manager) const { return now_ - manager.ahead; }
    static Outgoing outgoing(const std::string& number) {
        return {.user = "alice", .callee = number, .number = number};
    }
    // What one more call would come to; 0: that is within the level.
    std::int64_t judged(const char* limit, const Manager& manager, const std::string& number) {
        const auto findings =
            manager.limits.judge(directory().limits().at(limit), outgoing(number), calls_, clock_of(manager));
        return findings.empty() ? 0 : findings.front().value;
    }
    std::int64_t rate(const Manager& manager) { return judged("rate", manager, "+4"); }
    std::int64_t row(const Manager& manager, const std::string& number) {
        return judged("row", manager, number);
    }
    void call(Manager& manager, const std::string& number, const std::string& name = "") {
        for (const auto& [limit_name, limit] : directory().limits()) {
            manager.limits.count({"firewall of " + manager.name, name}, limit, outgoing(number),
                                 clock_of(manager));
        }
        now_ += 100ms;
    }
    void tell(Manager& from, Manager& to) {
        const auto told = to_text(from.limits.usage_to_share(directory(), clock_of(from)), from.ahead);
        to.limits.take_usage(from.name, must(shared_usage_from(told, to.ahead)));
        from.limits.told();
    }
    void exchange() {
        tell(a_, b_);
        tell(b_, a_);
    }

    TimePoint now_ = monday_nine; // the database's
    Calls calls_;
    Manager a_{"a", 3s};
    Manager b_{"b", -1h};
};

TEST_F(SharedLimits, CallsAMinuteAreCountedTogether) {
    call(a_, "+1");
    call(b_, "+2");
    call(b_, "+3");
    EXPECT_EQ(rate(a_), 0) << "nothing was told yet";
    exchange();
    exchange(); // once more is not twice
    EXPECT_EQ(rate(a_), 4);
    EXPECT_EQ(rate(b_), 4);
    now_ += 58s;
    EXPECT_EQ(rate(a_), 4);
    now_ += 3s; // without a word from anybody
    EXPECT_EQ(rate(a_), 0);
    EXPECT_EQ(rate(b_), 0);
}

TEST_F(SharedLimits, WhatIsTakenBackIsSoForAll) {
    call(a_, "+1", "1");
    call(a_, "+1", "2");
    exchange();
    EXPECT_EQ(row(b_, "+1"), 3);
    EXPECT_FALSE(a_.limits.has_changed());
    a_.limits.take_back({"firewall of a", "2"});
    EXPECT_TRUE(a_.limits.has_changed());
    exchange();
    EXPECT_EQ(row(b_, "+1"), 0);
    EXPECT_EQ(b_.limits.calls_in_minute("rate", "alice", clock_of(b_)), 1U);
}

TEST_F(SharedLimits, ARowGoesOverAllOfThem) {
    call(a_, "+1");
    call(b_, "+1");
    exchange();
    EXPECT_EQ(row(a_, "+1"), 3);
    EXPECT_EQ(row(b_, "+1"), 3);
    EXPECT_EQ(row(a_, "+2"), 0);
    now_ += 50min; // a row has no end of its own
    EXPECT_EQ(row(a_, "+1"), 3);
}

TEST_F(SharedLimits, ACallToAnotherNumberAnywhereBreaksARow) {
    call(a_, "+1");
    call(a_, "+1");
    call(b_, "+2");
    exchange();
    EXPECT_EQ(row(a_, "+1"), 0);
    EXPECT_EQ(row(b_, "+1"), 0);
    // And what follows it counts anew, whoever counts it.
    call(a_, "+1");
    exchange();
    EXPECT_EQ(row(b_, "+1"), 0);
    call(b_, "+1");
    exchange();
    EXPECT_EQ(row(a_, "+1"), 3);
    EXPECT_EQ(row(b_, "+1"), 3);
}

TEST_F(SharedLimits, ARowBrokenWhileNothingWasToldIsSplitAfterwards) {
    call(a_, "+1");
    call(a_, "+1");
    now_ += 5min; // the database is away
    call(b_, "+2");
    now_ += 5min;
    call(a_, "+1");
    exchange();
    EXPECT_EQ(row(a_, "+1"), 0) << "one, after that of b";
    EXPECT_EQ(row(b_, "+1"), 0);
    EXPECT_EQ(row(b_, "+2"), 0);
    call(a_, "+1");
    exchange();
    EXPECT_EQ(row(a_, "+1"), 3);
}

TEST_F(SharedLimits, ABreakThatIsTakenBackWasNone) {
    call(a_, "+1");
    call(a_, "+1");
    call(b_, "+2", "2");
    exchange();
    EXPECT_EQ(row(a_, "+1"), 0);
    b_.limits.take_back({"firewall of b", "2"});
    exchange();
    EXPECT_EQ(row(a_, "+1"), 3);
    EXPECT_EQ(row(b_, "+1"), 3);
}

TEST_F(SharedLimits, ALongRowIsToldByItsNewestCalls) {
    for (int i = 0; i < 250; ++i) {
        call(a_, "+1");
    }
    exchange();
    EXPECT_EQ(rate(b_), 251);
    EXPECT_EQ(row(b_, "+1"), 251);
    call(b_, "+2");
    call(a_, "+1");
    exchange();
    EXPECT_EQ(row(b_, "+2"), 0);
    EXPECT_EQ(row(b_, "+1"), 0);
}

TEST_F(SharedLimits, OnlyWhatALimitAsksForIsTold) {
    call(a_, "+1");
    EXPECT_THAT(
        a_.limits.usage_to_share(directory(), clock_of(a_)),
        ElementsAre(
            Pair(UsageKey("rate", "alice"),
                 ToldUsage{.begun = {{(now_ - 3s).time_since_epoch() / 1s, 1}}, .row = {}}),
            Pair(UsageKey("row", "alice"),
                 ToldUsage{.begun = {},
                           .row = {.callee = "+1", .calls = 1, .times = {monday_nine - 3s}, .broken = {}}})));
    must(directory().remove_limit("row"));
    now_ += 61s;
    EXPECT_THAT(a_.limits.usage_to_share(directory(), clock_of(a_)), IsEmpty());
}

TEST_F(SharedLimits, WhatIsToldIsBoundedToTheLastUsed) {
    const Limit& row = directory().limits().at("row");
    for (std::size_t i = 0; i < Limits::most_told + 10; ++i) {
        const Outgoing of_one{.user = std::to_string(i), .callee = "+1", .number = "+1"};
        a_.limits.count({"fw", ""}, row, of_one, now_ + std::chrono::seconds(i < 10 ? 0 : 1));
    }
    const auto told = a_.limits.usage_to_share(directory(), now_ + 2s);
    EXPECT_EQ(told.size(), Limits::most_told);
    EXPECT_FALSE(told.contains({"row", "3"}));
    EXPECT_TRUE(told.contains({"row", "10"}));
}

TEST_F(SharedLimits, WhatOthersToldIsForgottenAfterAnHour) {
    call(a_, "+1");
    call(a_, "+1");
    exchange();
    now_ += 59min;
    b_.limits.expire(clock_of(b_));
    EXPECT_EQ(row(b_, "+1"), 3);
    now_ += 2min;
    b_.limits.expire(clock_of(b_));
    EXPECT_EQ(row(b_, "+1"), 0);
    EXPECT_TRUE(b_.limits.has_changed()) << "once a minute, for whom it did not reach";
}

} // namespace
} // namespace stem::sm
