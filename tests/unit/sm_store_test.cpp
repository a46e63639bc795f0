// SPDX-License-Identifier: Apache-2.0
#include "sm/store.h"
#include "sm_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace stem::sm {
namespace {

// Changes a database behind the Store's back.
void run_sql(const std::filesystem::path& file, const char* sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    char* fault = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, &fault), SQLITE_OK) << (fault ? fault : "");
    sqlite3_free(fault);
    sqlite3_close(database);
}

mode_t mode_of(const std::filesystem::path& file) {
    struct stat status{};
    EXPECT_EQ(stat(file.c_str(), &status), 0) << file;
    return status.st_mode & 0777;
}

class SmStore : public testing::Test {
  protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_ / "sm with space.db"; }

    // What open() or load() says of the file.
    [[nodiscard]] Error refusal() const {
        auto store = Store::open(file());
        if (!store) {
            return store.error();
        }
        return error_of(store->load());
    }

  private:
    Folder folder_;
};

TEST_F(SmStore, FilesAreTheOwnersOnly) {
    const mode_t before = umask(0);
    auto store = must(Store::open(file()));
    must(store.add_user({"alice", {}, {}, {}}));
    umask(before);
    EXPECT_EQ(mode_of(file()), 0600U);
    EXPECT_EQ(mode_of(file().native() + "-wal"), 0600U);
}

TEST_F(SmStore, KeepsAllFields) {
    const Location learned{"sip:alice@example.org", "sip:alice@192.0.2.7:5062;line=1", address("192.0.2.7"),
                           Location::Origin::learned, monday_nine};
    const Location set{"", "sip:[2001:db8::7]", address("2001:db8::7"), Location::Origin::set, std::nullopt};
    {
        auto store = must(Store::open(file()));
        must(store.add_profile({"office",
                                forward("sip:desk@example.org"),
                                {rule("*@example.org", accept(), "mon-fri 08:00-18:00"),
                                 rule("+49*", reject(486), "sat,sun"), rule("anonymous", drop())}}));
        must(store.add_user({"alice", "Alice Ä", "office", {"sip:alice@example.org", "tel:+49301"}}));
        must(store.put_location("alice", learned));
        must(store.put_location("alice", set));
        must(store.add_spam({pattern("*@spam.example"), "", "ads; 'quoted'"}));
        must(store.add_spam({pattern("*@spam.example"), "alice", ""}));
    }
    auto store = must(Store::open(file()));
    const auto contents = must(store.load());
    ASSERT_EQ(contents.profiles.size(), 1U);
    EXPECT_EQ(contents.profiles[0].fallback, forward("sip:desk@example.org"));
    ASSERT_EQ(contents.profiles[0].rules.size(), 3U);
    EXPECT_EQ(contents.profiles[0].rules[0], rule("*@example.org", accept(), "mon-fri 08:00-18:00"));
    EXPECT_EQ(contents.profiles[0].rules[1], rule("+49*", reject(486), "sat,sun"));
    EXPECT_EQ(contents.profiles[0].rules[2], rule("anonymous", drop()));
    ASSERT_EQ(contents.users.size(), 1U);
    EXPECT_EQ(contents.users[0].display_name, "Alice Ä");
    EXPECT_EQ(contents.users[0].profile, "office");
    EXPECT_EQ(contents.users[0].uris, (std::vector<std::string>{"sip:alice@example.org", "tel:+49301"}));
    ASSERT_EQ(contents.locations.size(), 2U);
    for (const auto& [name, location] : contents.locations) {
        const Location& expected = location.origin == Location::Origin::set ? set : learned;
        EXPECT_EQ(name, "alice");
        EXPECT_EQ(location.uri, expected.uri);
        EXPECT_EQ(location.contact, expected.contact);
        EXPECT_EQ(location.address, expected.address);
        EXPECT_EQ(location.expires, expected.expires);
    }
    ASSERT_EQ(contents.spam.size(), 2U);
    EXPECT_EQ(contents.spam[0].note, "ads; 'quoted'");
    EXPECT_EQ(contents.spam[0].user, "");
    EXPECT_EQ(contents.spam[1].user, "alice");
}

TEST_F(SmStore, RemovingAUserTakesWhatBelongsToIt) {
    auto store = must(Store::open(file()));
    must(store.add_user({"alice", {}, {}, {"sip:alice@example.org"}}));
    must(store.put_location("alice", {"", "sip:192.0.2.7", address("192.0.2.7"), Location::Origin::set, {}}));
    must(store.add_spam({pattern("*"), "alice", ""}));
    must(store.remove_user("alice"));
    const auto contents = must(store.load());
    EXPECT_TRUE(contents.users.empty());
    EXPECT_TRUE(contents.locations.empty());
    EXPECT_TRUE(contents.spam.empty());
    must(store.add_user({"bob", {}, {}, {"sip:alice@example.org"}}));
}

TEST_F(SmStore, AFailedStatementNamesFileAndPurposeAndLeavesNothing) {
    auto store = must(Store::open(file()));
    must(store.add_user({"alice", {}, {}, {"sip:alice@example.org"}}));
    // The second URI is taken: the whole of it is undone.
    const Error error =
        error_of(store.add_user({"bob", {}, {}, {"sip:bob@example.org", "sip:alice@example.org"}}));
    EXPECT_NE(error.attempt.find(file().native()), std::string::npos) << error.message();
    EXPECT_NE(error.attempt.find("add user bob"), std::string::npos) << error.message();
    EXPECT_NE(error.cause.find("UNIQUE"), std::string::npos) << error.message();
    const auto contents = must(store.load());
    ASSERT_EQ(contents.users.size(), 1U);
    EXPECT_EQ(contents.users[0].uris.size(), 1U);
    // Foreign keys are on.
    EXPECT_FALSE(store.add_uri("nobody", "sip:x@example.org").has_value());
    EXPECT_FALSE(store.add_user({"carol", {}, "nosuch", {}}).has_value());
}

TEST_F(SmStore, RefusesASecondOwner) {
    const auto store = must(Store::open(file()));
    const Error error = error_of(Store::open(file()));
    EXPECT_NE(error.message().find(file().native()), std::string::npos);
    EXPECT_NE(error.cause.find("another process"), std::string::npos) << error.message();
    EXPECT_FALSE(error.remedy.empty());
}

TEST_F(SmStore, RefusesAnotherSchemaVersionWithARemedy) {
    must(Store::open(file()));
    run_sql(file(), "PRAGMA user_version = 77");
    const Error error = refusal();
    EXPECT_NE(error.message().find(file().native()), std::string::npos);
    EXPECT_NE(error.cause.find("schema version is 77"), std::string::npos) << error.message();
    EXPECT_FALSE(error.remedy.empty());
    run_sql(file(), "PRAGMA user_version = 0");
    EXPECT_NE(refusal().cause.find("schema version is 0"), std::string::npos);
}

TEST_F(SmStore, RefusesADatabaseOfSomethingElse) {
    run_sql(file(), "CREATE TABLE location (username TEXT)");
    const Error error = refusal();
    EXPECT_NE(error.message().find(file().native()), std::string::npos);
    EXPECT_NE(error.cause.find("something else"), std::string::npos) << error.message();
}

TEST_F(SmStore, RefusesWhatIsNoDatabase) {
    std::ofstream(file()) << std::string(4096, 'x');
    const Error error = refusal();
    EXPECT_NE(error.message().find(file().native()), std::string::npos) << error.message();
    EXPECT_FALSE(error.cause.empty());
    EXPECT_FALSE(error.remedy.empty());
}

TEST_F(SmStore, RefusesADamagedDatabase) {
    {
        auto store = must(Store::open(file()));
        for (int i = 0; i < 200; ++i) {
            must(store.add_user({"user" + std::to_string(i), std::string(100, 'x'), {}, {}}));
        }
    }
    {
        std::fstream stream(file(), std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(4096);
        stream << std::string(8192, '\xff');
    }
    const Error error = refusal();
    EXPECT_NE(error.message().find(file().native()), std::string::npos) << error.message();
    EXPECT_FALSE(error.remedy.empty());
}

TEST_F(SmStore, RefusesWhatCannotBeOpened) {
    const auto missing = file() / "deeper" / "sm.db";
    EXPECT_NE(error_of(Store::open(missing)).message().find(missing.native()), std::string::npos);
    std::filesystem::create_directory(file());
    const Error error = error_of(Store::open(file()));
    EXPECT_EQ(error.code, EISDIR);
    EXPECT_FALSE(Store::open(std::filesystem::path()).has_value());
    EXPECT_FALSE(Store::open(std::filesystem::path("/tmp/a\"b")).has_value());
}

TEST_F(SmStore, RefusesAnUnreadableFile) {
    if (geteuid() == 0) {
        GTEST_SKIP() << "root reads every file";
    }
    must(Store::open(file()));
    std::filesystem::permissions(file(), std::filesystem::perms::none);
    const Error error = error_of(Store::open(file()));
    EXPECT_EQ(error.code, EACCES);
    EXPECT_NE(error.message().find(file().native()), std::string::npos);
}

TEST_F(SmStore, ARowEditedByHandIsNamed) {
    {
        auto store = must(Store::open(file()));
        must(store.add_profile({"office", {}, {rule("*", reject(486))}}));
    }
    for (const auto& [statement, table] :
         {std::pair("UPDATE profile_rules SET caller = 'nonsense'", "profile_rules"),
          std::pair("UPDATE profile_rules SET caller = '*', days = 0", "profile_rules"),
          std::pair("UPDATE profile_rules SET days = NULL, status = 200", "profile_rules"),
          std::pair("UPDATE profile_rules SET status = 486; "
                    "INSERT INTO spam (caller, note) VALUES ('bob', '')",
                    "table spam")}) {
        run_sql(file(), statement);
        const Error error = refusal();
        EXPECT_NE(error.attempt.find(file().native()), std::string::npos) << error.message();
        EXPECT_NE(error.cause.find(table), std::string::npos) << error.message();
    }
}

} // namespace
} // namespace stem::sm
