// SPDX-License-Identifier: Apache-2.0
#include "sm/schedule.h"
#include "sm/timestamp.h"
#include "sm_fixture.h"

#include <cstdlib>
#include <ctime>

namespace stem::sm {
namespace {

// Local time is a place with summer time, an hour or two ahead of UTC.
class SmSchedule : public testing::Test {
  protected:
    SmSchedule() {
        if (const char* zone = std::getenv("TZ")) {
            before_ = zone;
        }
        use("CET-1CEST,M3.5.0,M10.5.0/3");
    }
    ~SmSchedule() override {
        if (before_) {
            use(before_->c_str());
        } else {
            unsetenv("TZ");
            tzset();
        }
    }
    SmSchedule(const SmSchedule&) = delete;
    SmSchedule& operator=(const SmSchedule&) = delete;

    static void use(const char* zone) {
        setenv("TZ", zone, 1);
        tzset();
    }
    // `local`: wall clock, "2026-11-23T08:00:00" without zone, in winter unless `offset` says otherwise.
    static bool in(std::string_view window, const std::string& local, int offset = 1) {
        const auto at = must(parse_timestamp(local + "Z")) - std::chrono::hours(offset);
        return must(Schedule::parse(window)).contains(at);
    }

  private:
    std::optional<std::string> before_;
};

TEST_F(SmSchedule, OfficeHoursHaveBorders) {
    // 2026-11-23 is a Monday.
    EXPECT_FALSE(in("mon-fri 08:00-18:00", "2026-11-23T07:59:59"));
    EXPECT_TRUE(in("mon-fri 08:00-18:00", "2026-11-23T08:00:00"));
    EXPECT_TRUE(in("mon-fri 08:00-18:00", "2026-11-27T17:59:59"));
    EXPECT_FALSE(in("mon-fri 08:00-18:00", "2026-11-27T18:00:00"));
    EXPECT_FALSE(in("mon-fri 08:00-18:00", "2026-11-28T12:00:00"));
    EXPECT_FALSE(in("mon-fri 08:00-18:00", "2026-11-22T12:00:00"));
}

TEST_F(SmSchedule, MidnightSpanBelongsToTheDayItBegins) {
    EXPECT_FALSE(in("fri 22:00-06:00", "2026-11-27T21:59:59"));
    EXPECT_TRUE(in("fri 22:00-06:00", "2026-11-27T22:00:00"));
    EXPECT_TRUE(in("fri 22:00-06:00", "2026-11-27T23:59:59"));
    EXPECT_TRUE(in("fri 22:00-06:00", "2026-11-28T00:00:00"));
    EXPECT_TRUE(in("fri 22:00-06:00", "2026-11-28T05:59:59"));
    EXPECT_FALSE(in("fri 22:00-06:00", "2026-11-28T06:00:00"));
    EXPECT_FALSE(in("fri 22:00-06:00", "2026-11-27T05:00:00"));
    // Sunday night ends on Monday: the week's border.
    EXPECT_TRUE(in("sun 22:00-06:00", "2026-11-23T01:00:00"));
    EXPECT_FALSE(in("mon 22:00-06:00", "2026-11-23T01:00:00"));
}

TEST_F(SmSchedule, WholeDaysEndAtLocalMidnight) {
    EXPECT_FALSE(in("sat,sun", "2026-11-27T23:59:59"));
    EXPECT_TRUE(in("sat,sun", "2026-11-28T00:00:00"));
    EXPECT_TRUE(in("sat,sun", "2026-11-29T23:59:59"));
    EXPECT_FALSE(in("sat,sun", "2026-11-30T00:00:00"));
    EXPECT_TRUE(in("mon 20:00-24:00", "2026-11-23T23:59:59"));
    EXPECT_FALSE(in("mon 20:00-24:00", "2026-11-24T00:00:00"));
    EXPECT_TRUE(in("mon 20:00-00:00", "2026-11-23T23:59:59"));
}

TEST_F(SmSchedule, FollowsSummerTimeAndZone) {
    EXPECT_TRUE(in("08:00-09:00", "2026-07-01T08:30:00", 2));
    EXPECT_FALSE(in("08:00-09:00", "2026-07-01T08:30:00", 1));
    use("EST5");
    EXPECT_TRUE(in("08:00-09:00", "2026-07-01T08:30:00", -5));
}

TEST_F(SmSchedule, OneSpelling) {
    const std::pair<const char*, const char*> cases[] = {
        {"Mon-Fri  8:00-18:00", "mon-fri 08:00-18:00"},
        {"sun,sat", "sat,sun"},
        {"fri-mon", "mon,fri-sun"},
        {"mon-sun 22:00-06:00", "22:00-06:00"},
        {"mon-sun", "mon-sun"},
        {"mon,wed,thu 09:00-0:00", "mon,wed,thu 09:00-24:00"},
    };
    for (const auto& [text, canonical] : cases) {
        EXPECT_EQ(must(Schedule::parse(text)).to_string(), canonical);
        EXPECT_EQ(must(Schedule::parse(canonical)), must(Schedule::parse(text)));
    }
}

TEST_F(SmSchedule, BadOnesAreNamed) {
    for (const std::string text :
         {"", " ", "monday", "mon-", "-fri", "mon,,tue", "08:00", "08:00-", "8-18", "08:60-09:00",
          "24:00-08:00", "08:00-25:00", "08:00-08:00", "mon 08:00-09:00 tue", "mon tue", "00:00-24:01",
          "08:0-09:00", "1:2:3-4:00"}) {
        const Error error = error_of(Schedule::parse(text));
        EXPECT_EQ(error.code, EINVAL) << text;
        EXPECT_NE(error.attempt.find("'" + text + "'"), std::string::npos) << error.message();
        EXPECT_FALSE(error.remedy.empty());
    }
    EXPECT_FALSE(Schedule::make(0, std::nullopt).has_value());
    EXPECT_FALSE(Schedule::make(0x80, std::nullopt).has_value());
    EXPECT_FALSE(Schedule::make(1, Schedule::Hours{-1, 5}).has_value());
}

TEST(SmTimestamp, RoundTripAndErrors) {
    EXPECT_EQ(to_timestamp(monday_nine), "2026-11-23T09:00:00Z");
    EXPECT_EQ(must(parse_timestamp("2026-11-23T09:00:00Z")), monday_nine);
    EXPECT_EQ(to_timestamp(must(parse_timestamp("0"))), "1970-01-01T00:00:00Z");
    for (const char* text : {"", "now", "-1", "99999999999", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
                             "2026-11-23T24:00:00Z", "2026-11-23 09:00:00", "9999-01-01T00:00:00Z"}) {
        EXPECT_EQ(error_of(parse_timestamp(text)).code, EINVAL) << text;
    }
}

} // namespace
} // namespace stem::sm
