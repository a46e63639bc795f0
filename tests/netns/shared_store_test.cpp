// SPDX-License-Identifier: Apache-2.0
// The Store over PostgreSQL, and two directories over one database.
#include "lab/enclosure.h"
#include "lab/postgres.h"
#include "sm/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <optional>

namespace stem::sm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

#define ASSERT_OK(result) ASSERT_TRUE(result) << (result).error().message()
#define EXPECT_OK(result) EXPECT_TRUE(result) << (result).error().message()

constexpr TimePoint monday_nine = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + 9h;

class SharedStore : public testing::Test {
  protected:
    void SetUp() override {
        auto postgres = lab::Postgres::create();
        ASSERT_OK(postgres);
        postgres_.emplace(std::move(*postgres));
        ASSERT_OK(postgres_->add_database("telephony"));
    }
    [[nodiscard]] StoreAddress address() const {
        auto parsed = StoreAddress::parse(postgres_->uri("telephony"));
        EXPECT_OK(parsed);
        return *parsed;
    }
    [[nodiscard]] std::unique_ptr<Directory> open() const {
        auto opened = Directory::open(address(), monday_nine);
        EXPECT_OK(opened);
        return opened ? std::move(*opened) : nullptr;
    }
    [[nodiscard]] std::string sql(const std::string& statement) const {
        auto told = postgres_->sql("telephony", statement);
        EXPECT_OK(told);
        return told ? *told : "";
    }

    std::optional<lab::Postgres> postgres_;
};

Pattern pattern(std::string_view text) {
    return *Pattern::parse(text);
}

TEST_F(SharedStore, KeepsWhatASqliteFileKeeps) {
    {
        auto directory = open();
        ASSERT_TRUE(directory);
        const Treatment forward{.action = Treatment::Action::forward, .target = "sip:desk@example.org"};
        const Treatment reject{
            .action = Treatment::Action::reject, .target = {}, .status = 486, .deny_seconds = 60};
        ASSERT_OK(directory->add_profile(
            {"office",
             forward,
             {{.caller = pattern("*@example.org"),
               .when = *Schedule::parse("mon-fri 08:00-18:00"),
               .then = {}},
              {.caller = pattern("+49*"), .when = *Schedule::parse("sat,sun"), .then = reject},
              {.caller = pattern("anonymous"),
               .when = {},
               .then = {.action = Treatment::Action::drop, .target = {}}}}}));
        ASSERT_OK(directory->add_user(
            {"alice", "Alice Ä 'quoted' :colon", "office", {"sip:alice@example.org", "tel:+49301"}}));
        ASSERT_OK(directory->set_location("alice", "", *Address::parse("2001:db8::7"), std::nullopt));
        ASSERT_OK(directory->learn({.address_of_record = "sip:alice@example.org",
                                    .contact = "sip:alice@192.0.2.7:5062;line=1",
                                    .address = *Address::parse("192.0.2.7"),
                                    .lifetime = 3600s},
                                   monday_nine));
        ASSERT_OK(directory->add_spam({pattern("*@spam.example"), "", "ads; 'quoted'"}));
        ASSERT_OK(directory->add_spam({pattern("*@spam.example"), "alice", ""}));
        ASSERT_OK(directory->thresholds().set("fw1", "keepalive_rate", 70, monday_nine, "admin ann"));
        ASSERT_OK(directory->thresholds().set("", "keepalive_rate", 80, monday_nine, "admin ann"));
        ASSERT_OK(directory->thresholds().reset("", "keepalive_rate", monday_nine, "admin ann"));
    }
    auto directory = open();
    ASSERT_TRUE(directory);
    const auto profile = directory->profile("office");
    ASSERT_OK(profile);
    EXPECT_EQ(profile->fallback.target, "sip:desk@example.org");
    ASSERT_EQ(profile->rules.size(), 3U);
    EXPECT_EQ(profile->rules[0].to_string(), "caller *@example.org, mon-fri 08:00-18:00 -> accept");
    EXPECT_EQ(profile->rules[1].then.deny_seconds, 60);
    EXPECT_EQ(profile->rules[2].then.action, Treatment::Action::drop);
    const auto alice = directory->user("alice");
    ASSERT_OK(alice);
    EXPECT_EQ(alice->display_name, "Alice Ä 'quoted' :colon");
    EXPECT_THAT(alice->uris, ElementsAre("sip:alice@example.org", "tel:+49301"));
    const auto locations = directory->locations("alice");
    ASSERT_OK(locations);
    ASSERT_EQ(locations->size(), 2U);
    EXPECT_EQ(directory->spam(std::nullopt).size(), 2U);
    EXPECT_EQ(directory->spam("").front().note, "ads; 'quoted'");
    EXPECT_EQ(directory->thresholds().version(), 3);
    EXPECT_EQ(directory->thresholds().values("fw1").keepalive_rate, 70U);
    const auto history = directory->thresholds().history("keepalive_rate");
    ASSERT_OK(history);
    EXPECT_EQ(history->size(), 3U);
    ASSERT_OK(directory->remove_user("alice"));
    EXPECT_EQ(sql("SELECT (SELECT count(*) FROM user_uris) + (SELECT count(*) FROM locations) + "
                  "(SELECT count(*) FROM spam)"),
              "1\n");
}

TEST_F(SharedStore, StepsOfTheSchemaAreDoneOnceAndNewerOnesRefused) {
    {
        ASSERT_TRUE(open());
    }
    const std::string steps = sql("SELECT count(*), min(version), max(version) FROM stem_schema");
    {
        ASSERT_TRUE(open());
    }
    EXPECT_EQ(sql("SELECT count(*), min(version), max(version) FROM stem_schema"), steps);
    static_cast<void>(sql("INSERT INTO stem_schema VALUES (999, now())"));
    const auto refused = Directory::open(address(), monday_nine);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().cause, HasSubstr("schema version is 999"));
    ASSERT_OK(postgres_->add_database("foreign_one"));
    ASSERT_OK(postgres_->sql("foreign_one", "CREATE TABLE location (username TEXT)"));
    const auto foreign = Directory::open(*StoreAddress::parse(postgres_->uri("foreign_one")), monday_nine);
    ASSERT_FALSE(foreign);
    EXPECT_THAT(foreign.error().cause, HasSubstr("something else"));
}

} // namespace
} // namespace stem::sm
