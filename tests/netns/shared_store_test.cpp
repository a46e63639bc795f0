// SPDX-License-Identifier: Apache-2.0
// The Store over PostgreSQL, and two directories over one database.
#include "lab/enclosure.h"
#include "lab/postgres.h"
#include "sm/admission.h"
#include "sm/api.h"
#include "sm/directory.h"
#include "sm/store_follower.h"
#include "tests/expect_ok.h"

#include <fmt/format.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace stem::sm {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

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

ApiReply ask(Directory& directory, std::string_view method, std::string_view target, std::string_view body) {
    Admission admission(directory, {});
    return handle({.directory = directory, .admission = admission, .now = monday_nine, .who = "test"}, method,
                  target, body);
}

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

TEST_F(SharedStore, ABackupGoesFromOneDatabaseIntoTheOther) {
    const auto file = lab::scratch() / "sm.db";
    std::filesystem::remove(file);
    auto sqlite = Directory::open(file, monday_nine);
    ASSERT_OK(sqlite);
    ASSERT_OK((*sqlite)->add_profile(
        {"office", {}, {{.caller = pattern("*"), .when = *Schedule::parse("sat,sun"), .then = {}}}}));
    // More than go into one statement.
    for (int i = 0; i < 200; ++i) {
        ASSERT_OK((*sqlite)->add_user({fmt::format("user{:03}", i),
                                       "Ä 'quoted' :colon",
                                       i % 2 == 0 ? "office" : "",
                                       {fmt::format("sip:user{}@example.org", i)}}));
    }
    ASSERT_OK((*sqlite)->set_location("user007", "", *Address::parse("192.0.2.7"), std::nullopt));
    ASSERT_OK((*sqlite)->add_spam({pattern("*@spam.example"), "", "ads"}));
    ASSERT_OK((*sqlite)->add_spam({pattern("*@ads.example"), "user007", "", 60}));
    ASSERT_OK((*sqlite)->thresholds().set("", "keepalive_rate", 70, monday_nine, "uid 0"));
    const auto document = (*sqlite)->backup(monday_nine);
    ASSERT_OK(document);

    auto shared = open();
    auto other = open();
    ASSERT_TRUE(shared && other);
    ASSERT_OK(shared->restore(*document, false));
    EXPECT_EQ(shared->users().size(), 200U);
    const auto again = shared->backup(monday_nine);
    ASSERT_OK(again);
    EXPECT_EQ(*again, *document);
    // The other has everything to read anew.
    EXPECT_FALSE(other->catch_up());
    EXPECT_TRUE(other->store().to_be_reread());
    // Numbers that the database gives go on behind what was taken in.
    ASSERT_OK(shared->add_spam({pattern("*@later.example"), "", ""}));
    ASSERT_OK(shared->add_uri("user007", "tel:+49307"));

    const auto back = shared->backup(monday_nine);
    ASSERT_OK(back);
    EXPECT_EQ((*sqlite)->restore(*back, false).error().code, EEXIST);
    ASSERT_OK((*sqlite)->restore(*back, true));
    EXPECT_EQ((*sqlite)->spam("").size(), 2U);

    // What a statement refuses leaves nothing.
    std::string bad = *back;
    bad.replace(bad.find("office"), 6, "nosuch");
    const auto refused = shared->restore(bad, true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EINVAL) << refused.error().message();
    EXPECT_EQ(shared->users().size(), 200U);
}

TEST_F(SharedStore, ManyThatStartAtOnceMakeTheTablesOnce) {
    std::vector<std::jthread> starts;
    std::atomic<int> opened = 0;
    starts.reserve(6);
    for (int i = 0; i < 6; ++i) {
        starts.emplace_back([&, where = address()] { opened += Store::open(where).has_value() ? 1 : 0; });
    }
    starts.clear();
    EXPECT_EQ(opened, 6);
    EXPECT_EQ(sql("SELECT count(*) - max(version) FROM stem_schema"), "0\n");
}

// Two Security Managers over one database, each with an event loop of its own, which this thread turns.
class TwoDirectories : public SharedStore {
  protected:
    struct Manager {
        std::unique_ptr<Directory> directory;
        std::optional<StoreFollower> follower;
        std::vector<std::string> told;
    };
    void SetUp() override {
        SharedStore::SetUp();
        if (HasFatalFailure()) {
            return;
        }
        for (Manager* manager : {&a_, &b_}) {
            manager->directory = open();
            ASSERT_TRUE(manager->directory);
            manager->follower.emplace(
                loop_, *manager->directory, address(),
                [manager](bool /*grave*/, const std::string& what) { manager->told.push_back(what); });
            manager->follower->start();
        }
    }
    Directory& a() { return *a_.directory; }
    Directory& b() { return *b_.directory; }
    bool soon(const std::function<bool()>& condition, std::chrono::milliseconds patience = 1s) {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            loop_.run_for(5ms);
        }
        return condition();
    }
    static Link::Binding binding(const std::string& user, const std::string& host,
                                 std::chrono::seconds lifetime = 3600s) {
        return {.address_of_record = "sip:" + user + "@example.org",
                .contact = "sip:" + user + "@" + host,
                .address = *Address::parse(host),
                .lifetime = lifetime};
    }
    static std::size_t located(const Directory& directory, const std::string& user) {
        const auto locations = directory.locations(user);
        return locations ? locations->size() : 0;
    }
    static User user(const std::string& name) { return {name, {}, {}, {"sip:" + name + "@example.org"}}; }

    boost::asio::io_context loop_;
    Manager a_;
    Manager b_;
};

TEST_F(TwoDirectories, EachKindOfChangeIsSeenOnTheOtherWithinASecond) {
    std::vector<std::int64_t> pushed;
    b().thresholds().on_change([&] {
        pushed.push_back(b().thresholds().version());
        return Result<>();
    });
    ASSERT_OK(a().add_profile({"office", {}, {{.caller = pattern("*"), .when = {}, .then = {}}}}));
    ASSERT_OK(a().add_user({"alice", "Alice", "office", {"sip:alice@example.org", "tel:+4930"}}));
    ASSERT_OK(a().learn(binding("alice", "192.0.2.7"), std::chrono::system_clock::now()));
    ASSERT_OK(a().learn(binding("alice", "2001:db8::7"), std::chrono::system_clock::now()));
    ASSERT_OK(a().add_spam({pattern("*@spam.example"), "", "ads"}));
    ASSERT_OK(a().add_spam({pattern("*@ads.example"), "alice", ""}));
    ASSERT_OK(a().thresholds().set("", "keepalive_rate", 71, monday_nine, "uid 0"));
    ASSERT_TRUE(soon([&] { return b().thresholds().version() == 1; }));
    EXPECT_THAT(pushed, ElementsAre(1));
    EXPECT_EQ(located(b(), "alice"), 2U);
    ASSERT_NE(b().find_callee(*AddressOfRecord::parse("tel:+4930")), nullptr);
    EXPECT_EQ(b().spam("alice").size(), 1U);
    EXPECT_EQ(b().spam(std::nullopt).size(), 2U);
    ASSERT_TRUE(b().find_profile("office"));
    EXPECT_EQ(b().find_profile("office")->rules.size(), 1U);

    // And back: changed, replaced, taken away.
    ASSERT_OK(b().change_user("alice", {.display_name = "A.", .profile = ""}));
    ASSERT_OK(b().remove_profile("office"));
    ASSERT_OK(b().learn(binding("alice", "192.0.2.7", 0s), std::chrono::system_clock::now()));
    ASSERT_OK(b().remove_uri("alice", "tel:+4930"));
    ASSERT_OK(b().add_user({"bob", {}, {}, {"tel:+4930"}}));
    ASSERT_OK(b().remove_spam(pattern("*@spam.example"), ""));
    ASSERT_OK(b().thresholds().reset("", "keepalive_rate", monday_nine, "uid 0"));
    ASSERT_TRUE(soon([&] { return a().thresholds().version() == 2; }));
    EXPECT_EQ(a().find_user("alice")->user.display_name, "A.");
    EXPECT_EQ(a().find_profile("office"), nullptr);
    EXPECT_EQ(located(a(), "alice"), 1U);
    EXPECT_EQ(a().find_callee(*AddressOfRecord::parse("tel:+4930"))->user.name, "bob");
    EXPECT_EQ(a().spam(std::nullopt).size(), 1U);
    ASSERT_OK(b().remove_user("alice"));
    ASSERT_TRUE(soon([&] { return a().find_user("alice") == nullptr; }));
    EXPECT_TRUE(a().spam(std::nullopt).empty());
    EXPECT_EQ(a().find_callee(*AddressOfRecord::parse("sip:alice@example.org")), nullptr);
}

TEST_F(TwoDirectories, LimitsBlocksGroupsAndLongListsAreShared) {
    ASSERT_OK(a().add_profile(
        {"shop",
         {},
         {{.caller = pattern("regex:sip:[0-9]{3}:?@.*"), .when = {}, .registered = false, .then = {}}},
         30}));
    ASSERT_OK(a().add_user({"alice", {}, "shop", {"sip:alice@example.org"}, 2}));
    const Limit whole{.name = "whole",
                      .user = "alice",
                      .prefix = "+881",
                      .when = *Schedule::parse("mon-fri 22:00-06:00"),
                      .calls_per_minute = {1, 2},
                      .concurrent = {{}, 3},
                      .duration = {4, {}},
                      .sequential = {5, 6},
                      .status = 603,
                      .block_seconds = 7};
    ASSERT_OK(a().put_limit(whole));
    ASSERT_OK(a().block({"alice", monday_nine + 60s, "it's :so"}));
    std::vector<SpamEntry> list;
    list.reserve(2345);
    for (int i = 0; i < 2345; ++i) {
        list.push_back({pattern(fmt::format("+881{}", i)), "", i == 7 ? "a 'note'" : ""});
    }
    const auto added = a().add_spam("", list);
    ASSERT_TRUE(added) << added.error().error.message();
    EXPECT_EQ(*added, 2345U);
    ASSERT_OK(a().thresholds().put_group({"branches", {"fw1", "fw2"}}, monday_nine, "uid 0"));
    ASSERT_OK(a().thresholds().set("@branches", "keepalive_rate", 71, monday_nine, "uid 0"));
    ASSERT_TRUE(soon([&] { return b().thresholds().version() == 2; }, 3s));
    EXPECT_EQ(b().thresholds().values("fw2").keepalive_rate, 71U);
    ASSERT_TRUE(b().limits().contains("whole"));
    EXPECT_EQ(b().limits().at("whole"), whole);
    EXPECT_EQ(b().blocks().at("alice").until, monday_nine + 60s);
    EXPECT_EQ(b().blocks().at("alice").why, "it's :so");
    EXPECT_EQ(b().spam("").size(), 2345U);
    EXPECT_EQ(b().find_user("alice")->user.max_calls, 2);
    EXPECT_EQ(b().find_profile("shop")->max_calls, 30);
    EXPECT_EQ(b().find_profile("shop")->rules[0].registered, false);

    // And back: a change of something else leaves them, theirs take them away.
    ASSERT_OK(b().add_user(user("bob")));
    ASSERT_OK(b().unblock("alice"));
    ASSERT_OK(b().set_max_calls("shop", 0));
    ASSERT_OK(b().thresholds().put_group({"core", {"fw2"}}, monday_nine, "uid 0"));
    ASSERT_TRUE(soon([&] { return a().thresholds().version() == 3; }));
    EXPECT_TRUE(a().blocks().empty());
    EXPECT_EQ(a().limits().size(), 1U);
    EXPECT_EQ(a().find_profile("shop")->max_calls, 0);
    EXPECT_EQ(a().thresholds().group_of("fw2"), "core");
    EXPECT_EQ(a().thresholds().group_of("fw1"), "branches");
    ASSERT_OK(b().remove_user("alice"));
    ASSERT_TRUE(soon([&] { return a().find_user("alice") == nullptr; }));
    EXPECT_TRUE(a().limits().empty());
    const auto anew = open();
    ASSERT_TRUE(anew);
    EXPECT_TRUE(anew->limits().empty());
    EXPECT_EQ(anew->spam("").size(), 2345U);
    EXPECT_EQ(anew->thresholds().group_of("fw1"), "branches");
}

TEST_F(TwoDirectories, WithAUserGoLimitsAndBlocksOnTheOtherToo) {
    for (const char* name : {"alice", "bob"}) {
        ASSERT_OK(a().add_user(user(name)));
        ASSERT_OK(a().put_limit({.name = fmt::format("of-{}", name),
                                 .user = name,
                                 .prefix = {},
                                 .when = {},
                                 .concurrent = {{}, 1}}));
        ASSERT_OK(a().block({name, monday_nine + 60s, "a row of calls"}));
    }
    ASSERT_OK(b().catch_up());
    ASSERT_EQ(b().blocks().size(), 2U);
    ASSERT_EQ(b().limits().size(), 2U);
    ASSERT_OK(a().remove_user("alice"));
    // Another person of that name, before the other has heard.
    ASSERT_OK(a().remove_user("bob"));
    ASSERT_OK(a().add_user(user("bob")));
    ASSERT_OK(b().catch_up());
    EXPECT_EQ(b().find_user("alice"), nullptr);
    EXPECT_NE(b().find_user("bob"), nullptr);
    EXPECT_TRUE(b().blocks().empty());
    EXPECT_TRUE(b().limits().empty());
}

// The loop is not turned between: neither has heard of the other's change when it makes its own.
TEST_F(TwoDirectories, WhoWasOvertakenLooksAgain) {
    ASSERT_OK(a().add_user(user("alice")));
    // Not known here: what it was checked by is not so any more.
    const auto late = b().add_user(user("alice"));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ESTALE);
    const auto again = settled(b(), [&] { return b().add_user(user("alice")); });
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, EEXIST) << again.error().message();
    EXPECT_OK(settled(b(), [&] { return b().add_user(user("bob")); }));
    ASSERT_OK(a().catch_up());
    EXPECT_OK(a().remove_user("bob"));
    const auto gone =
        settled(b(), [&] { return b().change_user("bob", {.display_name = "B", .profile = {}}); });
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, ENOENT);

    // Through the API, that is what is answered.
    ASSERT_OK(settled(a(), [&] { return a().add_user(user("carol")); }));
    EXPECT_EQ(ask(b(), "POST", "/v1/users", R"({"name": "carol"})").status, 409);
    ASSERT_OK(settled(a(), [&] { return a().remove_user("carol"); }));
    EXPECT_EQ(ask(b(), "DELETE", "/v1/users/carol", "").status, 404);
    ASSERT_OK(settled(a(), [&] { return a().add_user(user("erin")); }));
    EXPECT_EQ(ask(b(), "DELETE", "/v1/users/erin", "").status, 204) << "not heard of yet";
    ASSERT_OK(a().catch_up());

    // A phone registers at one whose user the other has just added, or taken away.
    ASSERT_OK(settled(a(), [&] { return a().add_user(user("dave")); }));
    EXPECT_EQ(b().learn(binding("dave", "192.0.2.9"), monday_nine).value(), Directory::Learned::unknown_user);
    ASSERT_OK(b().catch_up());
    ASSERT_OK(settled(a(), [&] { return a().remove_user("dave"); }));
    EXPECT_EQ(b().learn(binding("dave", "192.0.2.9"), monday_nine).value(), Directory::Learned::unknown_user);
}

TEST_F(TwoDirectories, WritersAtOnceLoseNothingAndNumberThresholdsInOneOrder) {
    constexpr int each = 60;
    ASSERT_OK(a().add_user(user("alice")));
    ASSERT_OK(b().catch_up());
    const auto write = [&](Directory& directory, const std::string& who) {
        for (int i = 0; i < each; ++i) {
            EXPECT_OK(
                settled(directory, [&] { return directory.add_user(user(fmt::format("{}{}", who, i))); }));
            EXPECT_OK(settled(directory, [&] {
                return directory.thresholds().set(who, "keepalive_rate", 50 + i, monday_nine, who);
            }));
            EXPECT_OK(directory.learn(binding("alice", fmt::format("192.0.2.{}", who == "a" ? 1 : 2)),
                                      std::chrono::system_clock::now()));
        }
    };
    {
        const std::jthread other([&] { write(a(), "a"); });
        write(b(), "b");
    }
    ASSERT_OK(a().catch_up());
    ASSERT_OK(b().catch_up());
    for (const Directory* directory : {&a(), &b()}) {
        EXPECT_EQ(directory->users().size(), 2U * each + 1);
        EXPECT_EQ(directory->thresholds().version(), 2 * each);
        EXPECT_EQ(located(*directory, "alice"), 2U);
    }
    // In the order in which they were committed, each number once.
    EXPECT_EQ(sql("SELECT count(*), min(version), max(version) FROM threshold_changes"),
              fmt::format("{}|1|{}\n", 2 * each, 2 * each));
    EXPECT_EQ(sql("SELECT revision FROM store_state"), sql("SELECT count(*) + 0 FROM store_changes"));
}

TEST_F(TwoDirectories, ALostDatabaseIsDoneWithoutAndReadAgain) {
    const auto now = std::chrono::system_clock::now();
    ASSERT_OK(a().add_user(user("alice")));
    ASSERT_OK(a().learn(binding("alice", "192.0.2.7"), now));
    ASSERT_TRUE(soon([&] { return located(b(), "alice") == 1; }));
    postgres_->stop();
    ASSERT_TRUE(soon([&] { return !a_.follower->connected() && !b_.follower->connected(); }));
    EXPECT_THAT(a_.told.back(), HasSubstr("is lost"));

    // Decisions go on; changes are refused, and say why; what phones say is kept.
    const auto decision = ask(a(), "GET", "/v1/decision?from=sip:x@example.com&to=sip:alice@example.org", "");
    EXPECT_EQ(decision.status, 200);
    const auto refused = ask(a(), "POST", "/v1/users", R"({"name": "bob"})");
    EXPECT_EQ(refused.status, 503);
    EXPECT_THAT(std::string(refused.json.at("error").at("message").as_string()),
                HasSubstr("connection to it is lost"));
    EXPECT_EQ(a().find_user("bob"), nullptr);
    EXPECT_EQ(a().learn(binding("alice", "192.0.2.8"), now).value(), Directory::Learned::stored);
    EXPECT_EQ(a().learn(binding("alice", "192.0.2.7", 0s), now).value(), Directory::Learned::removed);
    EXPECT_EQ(located(a(), "alice"), 1U);
    EXPECT_EQ(a().waiting(), 2U);
    EXPECT_OK(a().expire(now));

    ASSERT_OK(postgres_->start());
    // Somebody else's hand, while we were away.
    static_cast<void>(sql("INSERT INTO users (name, display_name) VALUES ('carol', '')"));
    ASSERT_TRUE(soon([&] { return a_.follower->connected() && b_.follower->connected(); }, 20s));
    EXPECT_EQ(a_.follower->counts().reopened, 1U);
    EXPECT_TRUE(soon([&] { return a().waiting() == 0; }));
    EXPECT_EQ(sql("SELECT contact FROM locations"), "sip:alice@192.0.2.8\n");
    EXPECT_TRUE(soon([&] {
        const auto seen = b().locations("alice");
        return seen && seen->size() == 1 && seen->front().contact == "sip:alice@192.0.2.8";
    }));
    EXPECT_NE(a().find_user("carol"), nullptr);
    EXPECT_OK(settled(b(), [&] { return b().add_user(user("bob")); }));
    EXPECT_TRUE(soon([&] { return a().find_user("bob") != nullptr; }));
}

TEST_F(TwoDirectories, ABlockOutlivesALostDatabase) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    for (const char* name : {"alice", "bob", "carol", "dave"}) {
        ASSERT_OK(a().add_user(user(name)));
    }
    ASSERT_OK(a().block({"dave", now + 60s, "before"}));
    ASSERT_TRUE(soon([&] { return b().blocks().contains("dave"); }));
    postgres_->stop();
    ASSERT_TRUE(soon([&] { return !a_.follower->connected() && !b_.follower->connected(); }));
    for (const char* name : {"alice", "bob", "carol", "dave", "*"}) {
        const auto block = [&] { return a().block({name, now + 600s, "a row of calls"}); };
        const auto blocked = settled(a(), block);
        ASSERT_FALSE(blocked);
        EXPECT_EQ(blocked.error().code, EAGAIN);
    }
    EXPECT_EQ(a().blocks().size(), 5U);
    EXPECT_EQ(a().waiting_blocks(), 5U);

    ASSERT_OK(postgres_->start());
    // Somebody else's hand, while we were away.
    static_cast<void>(sql("DELETE FROM users WHERE name = 'bob'"));
    const auto later = (now + 1200s).time_since_epoch().count();
    static_cast<void>(sql(fmt::format("INSERT INTO blocks VALUES ('carol', {}, 'by another')", later)));
    ASSERT_TRUE(soon([&] { return a_.follower->connected() && b_.follower->connected(); }, 20s));
    EXPECT_EQ(a().blocks().at("alice").until, now + 600s) << "at once, before it is written";
    EXPECT_TRUE(soon([&] { return a().waiting_blocks() == 0; }));
    EXPECT_TRUE(soon([&] { return b().blocks().size() == 4 && b().blocks().contains("alice"); }));
    for (const Directory* directory : {&a(), &b()}) {
        ASSERT_EQ(directory->blocks().size(), 4U);
        EXPECT_EQ(directory->blocks().at("alice").why, "a row of calls");
        EXPECT_EQ(directory->blocks().at("carol").why, "by another");
        EXPECT_EQ(directory->blocks().at("dave").until, now + 600s);
        EXPECT_TRUE(directory->blocks().contains("*"));
    }
    EXPECT_EQ(sql("SELECT count(*) FROM blocks"), "4\n");
    ASSERT_OK(settled(b(), [&] { return b().unblock("alice"); }));
    EXPECT_TRUE(soon([&] { return !a().blocks().contains("alice"); })) << "not written again";
}

TEST_F(TwoDirectories, AServerThatHangsHoldsUpNothingForLong) {
    ASSERT_OK(a().add_user(user("alice")));
    postgres_->freeze();
    const auto begun = std::chrono::steady_clock::now();
    const auto refused = a().add_user(user("bob"));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 8s) << "the bound is 2.5 s";
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, EAGAIN);
    const auto second = std::chrono::steady_clock::now();
    EXPECT_FALSE(a().add_user(user("bob")));
    EXPECT_LT(std::chrono::steady_clock::now() - second, 1s) << "known by now";
    postgres_->thaw();
    EXPECT_TRUE(soon([&] { return a_.follower->counts().reopened == 1; }, 20s));
    EXPECT_OK(settled(a(), [&] { return a().add_user(user("carol")); }));
}

TEST_F(TwoDirectories, WhoMissedTooMuchReadsEverything) {
    ASSERT_OK(a().add_user(user("alice")));
    ASSERT_TRUE(soon([&] { return b().find_user("alice") != nullptr; }));
    static_cast<void>(sql("INSERT INTO users (name, display_name) VALUES ('eve', '')"));
    static_cast<void>(sql("UPDATE store_state SET revision = revision + 20000"));
    static_cast<void>(sql("NOTIFY stem_store"));
    EXPECT_TRUE(
        soon([&] { return b().find_user("eve") != nullptr && a().find_user("eve") != nullptr; }, 10s));
    ASSERT_FALSE(b_.told.empty());
    EXPECT_THAT(b_.told.front(), HasSubstr("read anew"));
    EXPECT_EQ(b_.follower->counts().losses, 0U);
    EXPECT_OK(settled(b(), [&] { return b().add_user(user("bob")); }));
}

// Admissions of calls over one database, as stem-smd has them.
class SharedLimits : public TwoDirectories {
  protected:
    void SetUp() override {
        TwoDirectories::SetUp();
        if (HasFatalFailure()) {
            return;
        }
        ASSERT_OK(a().add_user(user("alice")));
        first_ = admission(a(), "stem-smd sm1 1");
        second_ = admission(b(), "stem-smd sm2 1");
    }
    [[nodiscard]] static std::unique_ptr<Admission> admission(Directory& directory, const char* name) {
        auto made = std::make_unique<Admission>(directory, Settings());
        made->share_counts_as(name, "own");
        made->tick(); // learns the database's time
        return made;
    }
    void limit(const Limit& limit) {
        ASSERT_OK(a().put_limit(limit));
        ASSERT_TRUE(soon([&] { return b().limits().contains(limit.name); }));
    }
    // 0: let in.
    int call(Admission& admission, const std::string& number, const std::string& name) {
        decision_ = admission.decide({.caller = "sip:alice@example.org",
                                      .callee = "tel:" + number,
                                      .call_id = name,
                                      .direction = STEM_OUTBOUND,
                                      .at = admission.now(),
                                      .call = name},
                                     "firewall fw1");
        const auto* reject = std::get_if<Reject>(&decision_.action);
        return reject == nullptr ? 0 : reject->status;
    }
    // As a second goes by: who was told of first, looks once more in the next.
    void exchange() {
        first_->tick();
        second_->tick();
        first_->tick();
    }
    static constexpr const char* told = "SELECT count(*) FROM call_counts WHERE manager LIKE 'limits of %'";

    std::unique_ptr<Admission> first_;
    std::unique_ptr<Admission> second_;
    Decision decision_;
};

TEST_F(SharedLimits, CallsAMinuteHoldOverBothAndABlockDoes) {
    limit({.name = "rate",
           .user = {},
           .prefix = {},
           .when = {},
           .calls_per_minute = {{}, 2},
           .block_seconds = 600});
    EXPECT_EQ(call(*first_, "+881", "1"), 0);
    EXPECT_EQ(call(*second_, "+882", "2"), 0);
    exchange();
    EXPECT_EQ(call(*second_, "+883", "3"), 403);
    EXPECT_THAT(decision_.why, HasSubstr("calls_per_minute 3, and 2 is its critical level"));
    ASSERT_TRUE(soon([&] { return a().blocks().contains("alice"); }));
    EXPECT_EQ(call(*first_, "+884", "4"), 403);
    EXPECT_THAT(decision_.why, HasSubstr("are blocked until"));
    // The level was passed once, and the block made once.
    EXPECT_EQ(first_->counts().limit_refusals + second_->counts().limit_refusals, 1U);
    EXPECT_EQ(first_->counts().blocks + second_->counts().blocks, 1U);
    EXPECT_EQ(first_->counts().blocked, 1U);
}

TEST_F(SharedLimits, CallsInARowHoldOverBoth) {
    limit({.name = "row", .user = {}, .prefix = {}, .when = {}, .sequential = {{}, 2}});
    EXPECT_EQ(call(*first_, "+881", "1"), 0);
    EXPECT_EQ(call(*second_, "+881", "2"), 0);
    exchange();
    EXPECT_EQ(call(*first_, "+881", "3"), 403);
    EXPECT_EQ(call(*second_, "+881", "4"), 403);
    EXPECT_EQ(call(*second_, "+49", "5"), 0);
    exchange();
    EXPECT_EQ(call(*first_, "+881", "6"), 0) << "another number was between, elsewhere";
}

TEST_F(SharedLimits, WhoIsStartedAnewKnowsWhatItCountedAndCountsItOnce) {
    limit({.name = "rate", .user = {}, .prefix = {}, .when = {}, .calls_per_minute = {{}, 2}});
    EXPECT_EQ(call(*first_, "+881", "1"), 0);
    exchange();
    first_ = admission(a(), "stem-smd sm1 2");
    second_.reset();
    const auto in_minute = [&](const Admission& admission) {
        return admission.limits().calls_in_minute("rate", "alice", admission.now());
    };
    EXPECT_EQ(in_minute(*first_), 1U);
    EXPECT_EQ(call(*first_, "+882", "2"), 0);
    first_->tick();
    EXPECT_EQ(in_minute(*first_), 2U);
    second_ = admission(b(), "stem-smd sm2 2");
    EXPECT_EQ(in_minute(*second_), 2U);
    EXPECT_EQ(call(*second_, "+883", "3"), 403);
    // Nobody needs them any more.
    static_cast<void>(sql("UPDATE call_counts SET told_at = told_at - 3601"));
    first_->tick();
    EXPECT_EQ(sql(told), "0\n");
}

TEST_F(SharedLimits, OnlyWhatHasChangedIsWrittenAndNothingWhereNothingWasCounted) {
    exchange();
    EXPECT_EQ(sql(told), "0\n");
    limit({.name = "rate", .user = {}, .prefix = {}, .when = {}, .calls_per_minute = {{}, 2}});
    EXPECT_EQ(call(*first_, "+881", "1"), 0);
    exchange();
    EXPECT_EQ(sql(told), "1\n");
    const char* const version = "SELECT xmin FROM call_counts WHERE manager = 'limits of stem-smd sm1 1'";
    const std::string before = sql(version);
    exchange();
    EXPECT_EQ(sql(version), before);
    EXPECT_EQ(call(*first_, "+881", "2"), 0);
    exchange();
    EXPECT_NE(sql(version), before);
}

// Builds that know calls in progress alone see rows that are not theirs to read; and theirs are read here.
TEST_F(SharedLimits, AnOlderOneBesideItGoesOn) {
    limit({.name = "rate",
           .user = {},
           .prefix = {},
           .when = {},
           .calls_per_minute = {{}, 9},
           .concurrent = {{}, 2}});
    EXPECT_EQ(call(*first_, "+881", "1"), 0);
    exchange();
    const auto rows = sql("SELECT manager FROM call_counts WHERE counts LIKE '{%' ORDER BY manager");
    EXPECT_EQ(rows, "stem-smd sm1 1\nstem-smd sm2 1\n") << "as before";
    static_cast<void>(
        sql("INSERT INTO call_counts SELECT 'stem-smd old', "
            "'{\"firewall fw7\": {\"connected\": true, \"counts\": {\"limit rate of alice\": 1}}}', "
            "max(told_at) FROM call_counts"));
    // And one of a newer build.
    static_cast<void>(sql("INSERT INTO call_counts SELECT 'limits of stem-smd new', '[{\"more\": 1}]', "
                          "max(told_at) FROM call_counts"));
    exchange();
    EXPECT_EQ(call(*second_, "+881", "2"), 403);
    EXPECT_THAT(decision_.why, HasSubstr("concurrent 3"));
}

TEST_F(SharedLimits, WithoutTheDatabaseEachGoesOnAndTellsLater) {
    limit({.name = "rate", .user = {}, .prefix = {}, .when = {}, .calls_per_minute = {{}, 2}});
    EXPECT_EQ(call(*first_, "+881", "1"), 0);
    exchange();
    postgres_->stop();
    exchange();
    EXPECT_EQ(call(*second_, "+882", "2"), 0) << "of what was told it knows";
    EXPECT_EQ(call(*second_, "+883", "3"), 403);
    exchange();
    ASSERT_OK(postgres_->start());
    ASSERT_TRUE(soon([&] { return a_.follower->connected() && b_.follower->connected(); }, 20s));
    EXPECT_TRUE(soon(
        [&] {
            exchange();
            return first_->limits().calls_in_minute("rate", "alice", first_->now()) == 2;
        },
        10s));
}

} // namespace
} // namespace stem::sm
