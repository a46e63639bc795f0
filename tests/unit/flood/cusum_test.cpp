// SPDX-License-Identifier: Apache-2.0
#include "ctl/flood/cusum.h"

#include <gtest/gtest.h>

namespace stem::flood {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

class Site {
  public:
    explicit Site(const CusumSettings& settings = {}) : settings_(settings) {}
    bool second_of(double requests, double answers) {
        now_ += second;
        return cusum.step(requests, answers, settings_, now_);
    }
    bool seconds_of(int count, double requests, double answers) {
        bool alarm = false;
        for (int i = 0; i < count; i++) {
            alarm = second_of(requests, answers);
        }
        return alarm;
    }
    Cusum cusum;

  private:
    CusumSettings settings_;
    std::uint64_t now_ = 0;
};

TEST(Cusum, StaysAtZeroInNormalTimes) {
    Site site;
    EXPECT_FALSE(site.seconds_of(1000, 200, 180)); // a tenth of the calls reaches nobody
    EXPECT_EQ(site.cusum.sum(), 0);
    EXPECT_NEAR(site.cusum.average(), 180, 1);
    // Rush hour: ten times as much, answered.
    EXPECT_FALSE(site.seconds_of(100, 2000, 1900));
    EXPECT_EQ(site.cusum.sum(), 0);
}

TEST(Cusum, RaisesTheAlarmAtTheFirstIntervalOfALargeFlood) {
    Site site;
    site.seconds_of(60, 100, 95);
    EXPECT_TRUE(site.second_of(20'000, 95));
    EXPECT_DOUBLE_EQ(site.cusum.sum(), 10.0) << "stops at twice the threshold";
}

TEST(Cusum, SumsUpASmallFlood) {
    Site site;
    site.seconds_of(60, 100, 100);
    // Nearly twice as many unanswered as answered: x = 1.99, a = 1, so the sum rises by 0.99 a second; N
    // is 5.
    EXPECT_FALSE(site.seconds_of(5, 299, 100));
    EXPECT_NEAR(site.cusum.sum(), 4.95, 1e-6);
    EXPECT_TRUE(site.second_of(299, 100));
}

TEST(Cusum, AQuietSitesFewCallsAreNoFlood) {
    Site site; // nothing was ever answered: the floor of 50 is the measure
    EXPECT_FALSE(site.seconds_of(1000, 50, 0));
    EXPECT_EQ(site.cusum.sum(), 0);
    EXPECT_TRUE(site.seconds_of(6, 101, 0)); // x is a little over 2
}

TEST(Cusum, EndsTheAlarmOnlyAfterQuiet) {
    Site site({.quiet_ns = 30 * second});
    site.seconds_of(60, 100, 100);
    ASSERT_TRUE(site.seconds_of(3600, 20'000, 100)); // an hour
    // The sum falls by a = 1 each second from 10, is 0 after ten, and must stay so for thirty more.
    EXPECT_TRUE(site.seconds_of(39, 100, 100));
    EXPECT_FALSE(site.second_of(100, 100));
    // A relapse in between begins the wait anew.
    ASSERT_TRUE(site.second_of(20'000, 100));
    EXPECT_TRUE(site.seconds_of(30, 100, 100));
    EXPECT_TRUE(site.second_of(250, 100));
    EXPECT_TRUE(site.seconds_of(30, 100, 100));
    EXPECT_FALSE(site.second_of(100, 100));
}

TEST(Cusum, TheFloodIsNoMeasureOfNormalTimes) {
    Site site;
    site.seconds_of(60, 100, 100);
    site.seconds_of(600, 50'000, 1000); // even when it has some answers
    EXPECT_NEAR(site.cusum.average(), 100, 1);
}

TEST(Cusum, GoesOnWithAnAlarmOfTheOneBefore) {
    CusumSettings settings;
    Site site(settings);
    site.cusum.assume_alarm(settings);
    EXPECT_TRUE(site.second_of(0, 0));
    EXPECT_TRUE(site.seconds_of(33, 0, 0));
    EXPECT_FALSE(site.second_of(0, 0));
}

} // namespace
} // namespace stem::flood
