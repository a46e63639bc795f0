// SPDX-License-Identifier: Apache-2.0
// Thresholds in the Security Manager: whose value holds, what is refused, and what a restart sees.
#include "sm/api.h"
#include "sm/thresholds.h"
#include "sm_fixture.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <gmock/gmock.h>
#include <sqlite3.h>

namespace stem::sm {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

constexpr std::string_view name = "keepalive_rate";
constexpr std::uint32_t initial = 100;

class SmThreshold : public DirectoryTest {
  protected:
    Thresholds& thresholds() { return directory().thresholds(); }
    std::uint32_t value(std::string_view firewall) { return thresholds().values(firewall).keepalive_rate; }
    Result<> set(std::string_view firewall, std::int64_t to) {
        return thresholds().set(firewall, name, to, monday_nine, "uid 7");
    }
    void sql(const char* statement) {
        sqlite3* database = nullptr;
        ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
        char* fault = nullptr;
        EXPECT_EQ(sqlite3_exec(database, statement, nullptr, nullptr, &fault), SQLITE_OK)
            << (fault != nullptr ? fault : "");
        sqlite3_free(fault);
        sqlite3_close(database);
    }
    ApiReply ask(std::string_view method, std::string_view target, std::string_view body = {}) {
        Admission admission(directory(), {});
        return handle({.directory = directory(), .admission = admission, .now = monday_nine, .who = "uid 0"},
                      method, target, body);
    }
    json::object expect(int status, std::string_view method, std::string_view target,
                        std::string_view body = {}) {
        const ApiReply reply = ask(method, target, body);
        EXPECT_EQ(reply.status, status) << method << ' ' << target << ' ' << json::serialize(reply.json);
        return reply.json.is_object() ? reply.json.get_object() : json::object{};
    }
};

TEST_F(SmThreshold, TheFirewallsOwnValueThenTheGroupsThenTheLists) {
    EXPECT_EQ(value("default"), initial);
    must(set("", 60));
    EXPECT_EQ(value("default"), 60U);
    EXPECT_EQ(value("other"), 60U);
    must(set("default", 70));
    EXPECT_EQ(value("default"), 70U);
    EXPECT_EQ(value("other"), 60U);
    EXPECT_EQ(value(""), 60U);
    must(thresholds().reset("default", name, monday_nine, "uid 7"));
    EXPECT_EQ(value("default"), 60U);
    EXPECT_EQ(must(thresholds().reset_all("", monday_nine, "uid 7")), 1U);
    EXPECT_EQ(value("default"), initial);
}

TEST_F(SmThreshold, ARestartSeesWhatWasSetAndVersionsGoOn) {
    must(set("default", 70));
    must(set("default", 71));
    must(set("", 72));
    must(thresholds().reset("", name, monday_nine, "uid 8"));
    EXPECT_EQ(thresholds().version(), 4);
    reopen();
    EXPECT_EQ(value("default"), 71U);
    EXPECT_EQ(value("other"), initial);
    EXPECT_EQ(thresholds().version(), 4);
    const auto now = must(thresholds().in_force("default", name));
    EXPECT_EQ(now.origin, Thresholds::Origin::firewall);
    EXPECT_EQ(now.change->version, 2);
    EXPECT_EQ(now.change->who, "uid 7");
    EXPECT_EQ(now.change->at, monday_nine);
    const auto history = must(thresholds().history(name));
    ASSERT_EQ(history.size(), 4U);
    EXPECT_EQ(history[0].value, std::nullopt);
    EXPECT_EQ(history[0].who, "uid 8");
    EXPECT_EQ(history[3].value, 70);
    must(set("default", 5));
    EXPECT_EQ(thresholds().version(), 5);
}

TEST_F(SmThreshold, EachOfTheListTakesItsBoundsAndRefusesWhatIsBeyond) {
    for (const auto& info : stem::thresholds()) {
        must(thresholds().set("default", info.name, info.low, monday_nine, "uid 0"));
        EXPECT_EQ(thresholds().values("default").*info.field, info.low) << info.name;
        must(thresholds().set("default", info.name, info.high, monday_nine, "uid 0"));
        EXPECT_EQ(thresholds().values("default").*info.field, info.high) << info.name;
        for (const std::int64_t beyond : {std::int64_t{info.low} - 1, std::int64_t{info.high} + 1}) {
            const auto error = error_of(thresholds().set("default", info.name, beyond, monday_nine, "uid 0"));
            EXPECT_EQ(error.code, EINVAL);
            EXPECT_THAT(error.attempt, HasSubstr(std::string(info.name)));
            EXPECT_THAT(error.attempt, HasSubstr(std::to_string(beyond)));
            EXPECT_THAT(error.cause,
                        HasSubstr(std::to_string(info.low) + " to " + std::to_string(info.high)));
        }
        EXPECT_EQ(thresholds().values("default").*info.field, info.high) << info.name;
    }
}

TEST_F(SmThreshold, RefusesWhatItDoesNotKnow) {
    EXPECT_EQ(error_of(thresholds().set("", "no_such", 1, monday_nine, "x")).code, ENOENT);
    EXPECT_THAT(error_of(thresholds().set("", "no_such", 1, monday_nine, "x")).message(),
                HasSubstr("'no_such'"));
    EXPECT_EQ(error_of(thresholds().reset("", "no_such", monday_nine, "x")).code, ENOENT);
    EXPECT_EQ(error_of(thresholds().reset("default", name, monday_nine, "x")).code, ENOENT);
    EXPECT_EQ(error_of(thresholds().in_force("", "no_such")).code, ENOENT);
    EXPECT_EQ(error_of(set("a/b", 7)).code, EINVAL);
    EXPECT_EQ(thresholds().version(), 0);
}

TEST_F(SmThreshold, WhatTheListDoesNotHaveIsReportedAndNotUsed) {
    must(set("default", 70));
    sql("INSERT INTO thresholds VALUES ('default', 'of_old', 5, 9, 0, 'x');"
        "UPDATE thresholds SET value = 99999999 WHERE name = 'keepalive_rate'");
    reopen();
    EXPECT_EQ(value("default"), initial);
    const auto unusable = thresholds().unusable();
    ASSERT_EQ(unusable.size(), 2U);
    EXPECT_EQ(unusable[0].name, "keepalive_rate");
    EXPECT_EQ(unusable[1].name, "of_old");
    EXPECT_EQ(expect(200, "GET", "/v1/thresholds?firewall=default").at("unusable").as_array().size(), 2U);
    must(thresholds().reset("default", "of_old", monday_nine, "x"));
    must(set("default", 71));
    EXPECT_TRUE(thresholds().unusable().empty());
}

TEST_F(SmThreshold, ChangesAreToldAtOnceAndTheirFailureToo) {
    int told = 0;
    thresholds().on_change([&]() -> Result<> {
        ++told;
        return value("default") == 66 ? fail("push", "no kernel") : Result<>();
    });
    must(set("default", 65));
    must(thresholds().reset("default", name, monday_nine, "x"));
    EXPECT_EQ(told, 2);
    EXPECT_EQ(error_of(set("default", 66)).cause, "no kernel");
    EXPECT_EQ(value("default"), 66U); // stored; the next start pushes it
    (void)set("default", 0);          // refused, so nothing to tell
    EXPECT_EQ(told, 3);
    EXPECT_EQ(must(thresholds().reset_all("", monday_nine, "x")), 0U);
}

TEST_F(SmThreshold, OldChangesAreForgottenButNotWhatTheySet) {
    must(set("default", 70));
    for (int i = 0; i < 1001; i++) {
        must(set("other", 10 + i % 2));
    }
    EXPECT_EQ(must(thresholds().history(name)).size(), 1000U);
    reopen();
    EXPECT_EQ(value("default"), 70U);
}

TEST_F(SmThreshold, Api) {
    auto list = expect(200, "GET", "/v1/thresholds?firewall=default");
    EXPECT_EQ(list.at("version"), 0);
    ASSERT_EQ(list.at("thresholds").as_array().size(), stem::thresholds().size());
    EXPECT_EQ(list.at("thresholds").at(0).at("origin"), "default");

    const auto set = expect(200, "PUT", "/v1/thresholds/keepalive_rate?firewall=default", R"({"value": 50})");
    EXPECT_EQ(set.at("value"), 50);
    EXPECT_EQ(set.at("origin"), "firewall");
    EXPECT_EQ(set.at("change").at("by"), "uid 0");
    EXPECT_EQ(set.at("changes").as_array().size(), 1U);
    EXPECT_EQ(value("default"), 50U);
    EXPECT_EQ(expect(200, "GET", "/v1/thresholds/keepalive_rate").at("value"), initial);
    (void)expect(200, "PUT", "/v1/thresholds/keepalive_rate", R"({"value": 40})");
    EXPECT_EQ(expect(200, "GET", "/v1/thresholds/keepalive_rate?firewall=other").at("origin"), "group");

    (void)expect(204, "DELETE", "/v1/thresholds/keepalive_rate?firewall=default");
    (void)expect(404, "DELETE", "/v1/thresholds/keepalive_rate?firewall=default");
    EXPECT_EQ(expect(200, "DELETE", "/v1/thresholds").at("reset"), 1);
    (void)expect(400, "PUT", "/v1/thresholds/keepalive_rate", R"({"value": 0})");
    (void)expect(400, "PUT", "/v1/thresholds/keepalive_rate", R"({"value": "50"})");
    (void)expect(400, "PUT", "/v1/thresholds/keepalive_rate", R"({})");
    (void)expect(400, "PUT", "/v1/thresholds/keepalive_rate", R"({"value": 5, "unit": "s"})");
    (void)expect(404, "PUT", "/v1/thresholds/no_such", R"({"value": 5})");
    (void)expect(404, "GET", "/v1/thresholds/keepalive_rate/more");
    (void)expect(400, "GET", "/v1/thresholds?firewall=a%2Fb");
    (void)expect(400, "GET", "/v1/thresholds?user=alice");
    EXPECT_EQ(ask("POST", "/v1/thresholds").allow, "GET, DELETE");
    EXPECT_EQ(ask("POST", "/v1/thresholds/keepalive_rate").allow, "GET, PUT, DELETE");
}

} // namespace
} // namespace stem::sm
