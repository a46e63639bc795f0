// SPDX-License-Identifier: Apache-2.0
#include "sm/store_session.h"

#include <array>
#include <span>

namespace stem::sm {
namespace {

// PRAGMA application_id: "STEM". Tells our files from other SQLite databases.
constexpr int application_id = 0x5354454d;

constexpr std::array version_1 = {
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

constexpr std::array version_2 = {
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

// A treatment that rejects or drops, and a spam caller, may have the source denied.
constexpr std::array version_3 = {
    "ALTER TABLE profiles ADD COLUMN deny_seconds BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE profile_rules ADD COLUMN deny_seconds BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE spam ADD COLUMN deny_seconds BIGINT NOT NULL DEFAULT 0",
};

// Step i brings version i to version i + 1.
constexpr std::array<std::span<const char* const>, schema_version> steps = {version_1, version_2, version_3};

} // namespace

Result<> bring_up_to_date(soci::session& sql, const std::string& file) {
    int application = 0;
    int version = 0;
    int tables = 0;
    sql << "PRAGMA application_id", soci::into(application);
    sql << "PRAGMA user_version", soci::into(version);
    sql << "SELECT count(*) FROM sqlite_master", soci::into(tables);
    const bool empty = application == 0 && version == 0 && tables == 0;
    const std::string attempt = "open database " + file;
    if (!empty && application != application_id) {
        return fail(attempt, "it is a database of something else", "name another file");
    }
    if (version < 0 || version > schema_version || (!empty && version == 0)) {
        return fail(
            attempt,
            fmt::format("its schema version is {}, this build knows 1 to {}", version, schema_version),
            "run the build that wrote it, or name another file to begin anew");
    }
    for (int from = version; from < schema_version; ++from) {
        soci::transaction step(sql);
        for (const char* statement : steps[static_cast<std::size_t>(from)]) {
            sql << statement;
        }
        sql << fmt::format("PRAGMA application_id = {}", application_id);
        sql << fmt::format("PRAGMA user_version = {}", from + 1);
        step.commit();
    }
    return {};
}

} // namespace stem::sm
