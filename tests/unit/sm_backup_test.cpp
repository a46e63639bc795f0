// SPDX-License-Identifier: Apache-2.0
#include "sm/admission.h"
#include "sm/api.h"
#include "sm/pki/signature.h"
#include "sm/store_backup.h"
#include "sm_fixture.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <sqlite3.h>

#include <algorithm>
#include <set>

namespace stem::sm {
namespace {

using testing::HasSubstr;

class SmBackup : public DirectoryTest {
  protected:
    void fill() {
        user("alice", {rule("*@example.org", accept(), "mon-fri 08:00-18:00"), rule("+49*", reject(486))});
        user("bob");
        must(directory().add_uri("bob", "tel:+49302"));
        must(directory().change_user("bob", {.display_name = "Bob \"B\" Ä", .profile = std::nullopt}));
        must(directory().set_location("alice", "", address("2001:db8::7"), std::nullopt));
        must(
            directory().set_location("alice", "", address("192.0.2.7"), monday_nine + std::chrono::hours(1)));
        must(directory().add_spam({pattern("*@spam.example"), "", "ads; 'quoted' \\ back"}));
        must(directory().add_spam({pattern("*@ads.example"), "alice", "", 600}));
        must(directory().thresholds().set("fw1", "keepalive_rate", 70, monday_nine, "uid 0"));
        must(directory().thresholds().reset("fw1", "keepalive_rate", monday_nine, "uid 0"));
        must(directory().thresholds().set("", "keepalive_rate", 71, monday_nine, "uid 0"));
    }
    std::string backup() { return must(directory().backup(monday_nine)); }
    // The document with another text in place of one, and a digest that is right again.
    static std::string edited(std::string document, std::string_view from, std::string_view to) {
        document.replace(document.find(from), from.size(), to);
        const auto end = document.rfind("{\"end\"");
        const auto rows =
            std::count(document.begin(), document.begin() + static_cast<std::ptrdiff_t>(end), '\n') - 1;
        const std::string before = document.substr(0, end);
        return before +
               boost::json::serialize(
                   boost::json::object{{"end", {{"rows", rows}, {"sha256", pki::sha256(before)}}}}) +
               "\n";
    }
};

TEST_F(SmBackup, ComesBackAsItWas) {
    fill();
    const std::string document = backup();
    const Folder elsewhere;
    const auto other = must(Directory::open(elsewhere / "other.db", monday_nine));
    const auto counts = must(other->restore(document, false));
    EXPECT_EQ(counts.at("users"), 2U);
    EXPECT_EQ(counts.at("user_uris"), 3U);
    EXPECT_EQ(counts.at("threshold_changes"), 3U);
    EXPECT_EQ(must(other->backup(monday_nine)), document);
    // In memory at once, and after a restart.
    EXPECT_EQ(must(other->user("bob")).display_name, "Bob \"B\" Ä");
    EXPECT_EQ(must(other->profile("alice")).rules.size(), 2U);
    EXPECT_EQ(other->spam("alice").front().deny_seconds, 600);
    EXPECT_EQ(other->thresholds().values("fw1").keepalive_rate, 71U);
    EXPECT_EQ(must(other->thresholds().history("keepalive_rate")).size(), 3U);
    must(other->add_spam({pattern("*@later.example"), "", ""})); // numbered behind what was taken in
    EXPECT_EQ(other->spam("").back().caller, pattern("*@later.example"));
}

TEST_F(SmBackup, VersionsOfThresholdsNeverComeTwice) {
    fill();
    const std::string document = backup();
    must(directory().thresholds().set("", "keepalive_rate", 80, monday_nine, "uid 0"));
    const auto before = directory().thresholds().version();
    must(directory().restore(document, true));
    EXPECT_GT(directory().thresholds().version(), before);
    EXPECT_EQ(directory().thresholds().values("").keepalive_rate, 71U);
    reopen();
    EXPECT_GT(directory().thresholds().version(), before);
}

TEST_F(SmBackup, WhatIsThereIsReplacedOnlyWhenThatIsSaid) {
    fill();
    const std::string document = backup();
    must(directory().remove_user("bob"));
    user("carol");
    const Error error = error_of(directory().restore(document, false));
    EXPECT_EQ(error.code, EEXIST);
    EXPECT_THAT(error.message(), HasSubstr("not empty"));
    EXPECT_NE(directory().find_user("carol"), nullptr);
    must(directory().restore(document, true));
    EXPECT_EQ(directory().find_user("carol"), nullptr);
    EXPECT_NE(directory().find_callee(must(AddressOfRecord::parse("tel:+49302"))), nullptr);
    EXPECT_EQ(backup(), document);
}

TEST_F(SmBackup, AllOrNothing) {
    fill();
    const std::string document = backup();
    const auto refused = [&](const std::string& bad) {
        const Error error = error_of(directory().restore(bad, true));
        EXPECT_EQ(error.code, EINVAL) << error.message();
        EXPECT_EQ(backup(), document) << "unchanged";
        return error.message();
    };
    EXPECT_THAT(refused(""), HasSubstr("cut off"));
    EXPECT_THAT(refused("nonsense\n"), HasSubstr("line 1"));
    EXPECT_THAT(refused(document.substr(0, document.size() / 2)), HasSubstr("line "));
    EXPECT_THAT(refused(document.substr(0, document.rfind("{\"end\""))), HasSubstr("cut off"));
    EXPECT_THAT(refused(document + "{}\n"), HasSubstr("behind the end"));
    std::string changed = document;
    changed[changed.find("alice")] = 'A';
    EXPECT_THAT(refused(changed), HasSubstr("digest"));
    // Right in itself, but not for us: the line is named.
    EXPECT_THAT(refused(edited(document, "\"schema\":", "\"schema\":9")), HasSubstr("newer"));
    EXPECT_THAT(refused(edited(document, "\"table\":\"spam\"", "\"table\":\"spum\"")),
                HasSubstr("no table 'spum'"));
    EXPECT_THAT(refused(edited(document, "\"note\"", "\"nose\"")), HasSubstr("table spam"));
    EXPECT_THAT(refused(edited(document, "\"note\"", "\"note) --\"")), HasSubstr("not a row"));
    EXPECT_THAT(refused(edited(document, "*@example.org", "nonsense here")), HasSubstr("profile_rules"));
    EXPECT_THAT(refused(edited(document, "192.0.2.7\",\"expires", "192.0.2.777\",\"expires")),
                HasSubstr("locations"));
    EXPECT_THAT(refused(edited(document, "\"profile\":\"alice\"", "\"profile\":\"nosuch\"")),
                HasSubstr("FOREIGN"));
}

TEST_F(SmBackup, NoTableIsForgotten) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &database), SQLITE_OK);
    std::set<std::string> there;
    const auto note = [](void* names, int /*columns*/, char** values, char** /*titles*/) {
        static_cast<std::set<std::string>*>(names)->insert(values[0]);
        return 0;
    };
    ASSERT_EQ(sqlite3_exec(database,
                           "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                           note, &there, nullptr),
              SQLITE_OK);
    sqlite3_close(database);
    for (const BackupTable& table : backup_tables()) {
        EXPECT_EQ(there.erase(std::string(table.name)), 1U) << table.name;
    }
    for (const std::string_view table : tables_without_backup()) {
        there.erase(std::string(table));
    }
    EXPECT_TRUE(there.empty()) << *there.begin()
                               << " is neither in backup_tables() nor in tables_without_backup()";
}

TEST_F(SmBackup, OverTheApiInParts) {
    fill();
    Admission admission(directory(), {}, nullptr, [] { return monday_nine; });
    const auto ask = [&](const char* method, const std::string& target, const std::string& body = "",
                         TimePoint now = monday_nine) {
        return handle({.directory = directory(), .admission = admission, .now = now, .who = "test"}, method,
                      target, body);
    };
    const auto reply = ask("GET", "/v1/backup");
    ASSERT_EQ(reply.status, 200);
    const std::string document(reply.json.at("backup").as_string());
    must(directory().remove_user("bob"));

    const auto part = [](std::string_view text) {
        return boost::json::serialize(boost::json::object{{"text", text}});
    };
    EXPECT_EQ(ask("POST", "/v1/restore/1", part("x")).status, 404) << "not begun";
    const auto begun = ask("POST", "/v1/restore");
    ASSERT_EQ(begun.status, 201);
    const std::string place = "/v1/restore/" + std::string(begun.json.at("restore").as_string());
    EXPECT_EQ(ask("POST", place, R"({"txt": ""})").status, 400);
    EXPECT_EQ(ask("POST", place, part(document.substr(0, 100))).status, 200);
    EXPECT_EQ(ask("POST", place, part(document.substr(100))).status, 200);
    EXPECT_EQ(ask("PUT", place, R"({"replace": 1})").status, 400);
    const auto restored = ask("PUT", place, R"({"replace": true})");
    EXPECT_EQ(restored.status, 200) << boost::json::serialize(restored.json);
    EXPECT_EQ(restored.json.at("restored").at("users").to_number<int>(), 2);
    EXPECT_NE(directory().find_user("bob"), nullptr);
    EXPECT_EQ(ask("PUT", place, R"({"replace": true})").status, 404) << "over";

    // Another that is begun ends the one before; one that is forgotten ends by itself.
    const std::string first =
        "/v1/restore/" + std::string(ask("POST", "/v1/restore").json.at("restore").as_string());
    const std::string second =
        "/v1/restore/" + std::string(ask("POST", "/v1/restore").json.at("restore").as_string());
    EXPECT_EQ(ask("POST", first, part("x")).status, 404);
    EXPECT_EQ(ask("POST", second, part("x")).status, 200);
    EXPECT_EQ(ask("POST", second, part("x"), monday_nine + std::chrono::minutes(3)).status, 404);
    EXPECT_EQ(ask("DELETE", second).status, 405);
    EXPECT_EQ(ask("POST", "/v1/restore/abc").status, 404);
    EXPECT_EQ(ask("PUT", "/v1/backup").status, 405);
}

} // namespace
} // namespace stem::sm
