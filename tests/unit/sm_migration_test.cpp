// SPDX-License-Identifier: Apache-2.0
// Databases of released schemas, word for word as those builds made them, are brought up to date with what is
// in them.
#include "sm/store.h"
#include "sm_fixture.h"

#include <sqlite3.h>

#include <array>
#include <span>

namespace stem::sm {
namespace {

constexpr std::array released_1 = {
    "CREATE TABLE profiles ("
    " name TEXT PRIMARY KEY,"
    " action TEXT NOT NULL CHECK (action IN ('accept', 'forward', 'reject', 'drop')),"
    " target TEXT,"
    " status INTEGER)",

    // Days: bit 0 is Monday. Minutes: local time, after midnight.
    "CREATE TABLE profile_rules ("
    " profile TEXT NOT NULL REFERENCES profiles (name) ON DELETE CASCADE,"
    " position INTEGER NOT NULL CHECK (position >= 1),"
    " caller TEXT NOT NULL,"
    " days INTEGER,"
    " from_minute INTEGER,"
    " to_minute INTEGER,"
    " action TEXT NOT NULL CHECK (action IN ('accept', 'forward', 'reject', 'drop')),"
    " target TEXT,"
    " status INTEGER,"
    " PRIMARY KEY (profile, position))",

    "CREATE TABLE users ("
    " name TEXT PRIMARY KEY,"
    " display_name TEXT NOT NULL,"
    " profile TEXT REFERENCES profiles (name) ON DELETE RESTRICT)",

    "CREATE TABLE user_uris ("
    " id INTEGER PRIMARY KEY,"
    " uri TEXT NOT NULL UNIQUE,"
    " user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE)",

    // Seconds since 1970; NULL: never.
    "CREATE TABLE locations ("
    " user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,"
    " origin TEXT NOT NULL CHECK (origin IN ('learned', 'set')),"
    " uri TEXT NOT NULL,"
    " contact TEXT NOT NULL,"
    " address TEXT NOT NULL,"
    " expires_at BIGINT,"
    " PRIMARY KEY (user, origin, uri, contact))",

    // User NULL: for all users.
    "CREATE TABLE spam ("
    " id INTEGER PRIMARY KEY,"
    " caller TEXT NOT NULL,"
    " user TEXT REFERENCES users (name) ON DELETE CASCADE,"
    " note TEXT NOT NULL)",
    "CREATE UNIQUE INDEX spam_once ON spam (caller, ifnull(user, ''))",

    // Without these, removing a user or a profile would read whole tables.
    "CREATE INDEX user_uris_by_user ON user_uris (user)",
    "CREATE INDEX users_by_profile ON users (profile)",
    "CREATE INDEX spam_by_user ON spam (user)",
};

constexpr std::array released_2 = {
    // What is set. Firewall '': the default group. No check on name and value: what they may be is the list's
    // (stem/abi/threshold.h), which changes from build to build.
    "CREATE TABLE thresholds ("
    " firewall TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " value BIGINT NOT NULL,"
    " version BIGINT NOT NULL,"
    " changed_at BIGINT NOT NULL,"
    " changed_by TEXT NOT NULL,"
    " PRIMARY KEY (firewall, name))",

    // How it came to be; value NULL: a reset. AUTOINCREMENT: a version is never given twice.
    "CREATE TABLE threshold_changes ("
    " version INTEGER PRIMARY KEY AUTOINCREMENT,"
    " firewall TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " value BIGINT,"
    " changed_at BIGINT NOT NULL,"
    " changed_by TEXT NOT NULL)",
    "CREATE INDEX threshold_changes_by_name ON threshold_changes (name)",
};

constexpr std::array released_3 = {
    "ALTER TABLE profiles ADD COLUMN deny_seconds BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE profile_rules ADD COLUMN deny_seconds BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE spam ADD COLUMN deny_seconds BIGINT NOT NULL DEFAULT 0",
};

class SmMigration : public testing::TestWithParam<int> {
  protected:
    void SetUp() override {
        ASSERT_EQ(sqlite3_open(file().c_str(), &database_), SQLITE_OK);
        constexpr std::array<std::span<const char* const>, 3> steps{released_1, released_2, released_3};
        for (int step = 0; step < GetParam(); ++step) {
            for (const char* statement : steps[static_cast<std::size_t>(step)]) {
                run(statement);
            }
        }
        run("PRAGMA application_id = 0x5354454d");
        run(("PRAGMA user_version = " + std::to_string(GetParam())).c_str());
    }
    void TearDown() override { close(); }

    void run(const char* statement) {
        char* fault = nullptr;
        EXPECT_EQ(sqlite3_exec(database_, statement, nullptr, nullptr, &fault), SQLITE_OK)
            << statement << ": " << (fault ? fault : "");
        sqlite3_free(fault);
    }
    void close() {
        sqlite3_close(database_);
        database_ = nullptr;
    }
    [[nodiscard]] std::filesystem::path file() const { return folder_ / "sm.db"; }

  private:
    Folder folder_;
    sqlite3* database_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Released, SmMigration, testing::Range(1, 4));

TEST_P(SmMigration, KeepsWhatWasThereAndGoesOn) {
    run("INSERT INTO profiles (name, action, status) VALUES ('office', 'reject', 486)");
    run("INSERT INTO users (name, display_name, profile) VALUES ('alice', 'Alice', 'office')");
    run("INSERT INTO user_uris (uri, user) VALUES ('sip:alice@example.org', 'alice')");
    run("INSERT INTO locations (user, origin, uri, contact, address) "
        "VALUES ('alice', 'set', '', 'sip:192.0.2.7', '192.0.2.7')");
    run("INSERT INTO spam (caller, user, note) VALUES ('*@spam.example', 'alice', 'ads'), "
        "('*@spam.example', NULL, '')");
    if (GetParam() >= 2) {
        run("INSERT INTO threshold_changes (version, firewall, name, value, changed_at, changed_by) "
            "VALUES (41, '', 'keepalive_rate', 70, 0, 'uid 0'), (42, '', 'keepalive_rate', NULL, 0, 'uid "
            "0')");
    }
    close();

    const auto directory = must(Directory::open(file(), monday_nine));
    EXPECT_EQ(must(directory->profile("office")).fallback, reject(486));
    const auto alice = must(directory->user("alice"));
    EXPECT_EQ(alice.uris, std::vector<std::string>{"sip:alice@example.org"});
    EXPECT_EQ(alice.profile, "office");
    EXPECT_EQ(must(directory->locations("alice")).size(), 1U);
    EXPECT_EQ(directory->spam("alice").size(), 1U);
    EXPECT_EQ(directory->spam("").size(), 1U);
    const std::int64_t version = GetParam() >= 2 ? 42 : 0;
    EXPECT_EQ(directory->thresholds().version(), version);
    must(directory->thresholds().set("", "keepalive_rate", 71, monday_nine, "uid 0"));
    EXPECT_EQ(directory->thresholds().version(), version + 1);

    // The rules of the old tables hold in the new.
    EXPECT_EQ(error_of(directory->add_spam({pattern("*@spam.example"), "alice", ""})).code, EEXIST);
    must(directory->remove_user("alice"));
    EXPECT_TRUE(directory->spam("alice").empty());
}

} // namespace
} // namespace stem::sm
