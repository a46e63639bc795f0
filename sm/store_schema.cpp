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
    " id {id},"
    " uri TEXT NOT NULL UNIQUE,"
    " \"user\" TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE)",

    // Seconds since 1970; NULL: never.
    "CREATE TABLE locations ("
    " \"user\" TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,"
    " origin TEXT NOT NULL CHECK (origin IN ('learned', 'set')),"
    " uri TEXT NOT NULL,"
    " contact TEXT NOT NULL,"
    " address TEXT NOT NULL,"
    " expires_at BIGINT,"
    " PRIMARY KEY (\"user\", origin, uri, contact))",

    // User NULL: for all users.
    "CREATE TABLE spam ("
    " id {id},"
    " caller TEXT NOT NULL,"
    " \"user\" TEXT REFERENCES users (name) ON DELETE CASCADE,"
    " note TEXT NOT NULL)",
    "CREATE UNIQUE INDEX spam_once ON spam (caller, coalesce(\"user\", ''))",

    // Without these, removing a user or a profile would read whole tables.
    "CREATE INDEX user_uris_by_user ON user_uris (\"user\")",
    "CREATE INDEX users_by_profile ON users (profile)",
    "CREATE INDEX spam_by_user ON spam (\"user\")",
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

    // How it came to be; value NULL: a reset.
    "CREATE TABLE threshold_changes ("
    " version {id},"
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

// PostgreSQL, too: there "user" is a reserved word. And what several Security Managers need that share a
// store (docs/decisions/0021-several-security-managers.md).
constexpr std::array version_4 = {
    "ALTER TABLE user_uris RENAME COLUMN \"user\" TO user_name",
    "ALTER TABLE locations RENAME COLUMN \"user\" TO user_name",
    "ALTER TABLE spam RENAME COLUMN \"user\" TO user_name",

    // One row. checked_revision: the last change that was checked by what was there; of those of another kind
    // than locations. threshold_version: never goes back, not by a restored backup either.
    "CREATE TABLE store_state ("
    " id INTEGER PRIMARY KEY CHECK (id = 1),"
    " revision BIGINT NOT NULL,"
    " checked_revision BIGINT NOT NULL,"
    " threshold_version BIGINT NOT NULL)",
    "INSERT INTO store_state (id, revision, checked_revision, threshold_version) "
    "SELECT 1, 0, 0, coalesce(max(version), 0) FROM threshold_changes",

    // The newest changes, of a shared store (sm/store_change.h).
    "CREATE TABLE store_changes ("
    " revision BIGINT PRIMARY KEY,"
    " kind TEXT NOT NULL,"
    " name TEXT NOT NULL)",
};

// Bounds of calls at once; rules that ask whether the callee is registered; limits of outgoing calls, and
// those that they have blocked; groups of firewalls.
constexpr std::array version_5 = {
    "ALTER TABLE users ADD COLUMN max_calls BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE profiles ADD COLUMN max_calls BIGINT NOT NULL DEFAULT 0",
    // NULL: in either case; 1: while registered; 0: while not.
    "ALTER TABLE profile_rules ADD COLUMN registered INTEGER",

    // User '': each by himself. Levels NULL: none.
    "CREATE TABLE limits ("
    " name TEXT PRIMARY KEY,"
    " user_name TEXT NOT NULL,"
    " prefix TEXT NOT NULL,"
    " times TEXT NOT NULL,"
    " calls_per_minute_warning BIGINT, calls_per_minute_critical BIGINT,"
    " concurrent_warning BIGINT, concurrent_critical BIGINT,"
    " duration_warning BIGINT, duration_critical BIGINT,"
    " sequential_warning BIGINT, sequential_critical BIGINT,"
    " status INTEGER NOT NULL,"
    " block_seconds BIGINT NOT NULL)",
    "CREATE TABLE blocks ("
    " user_name TEXT PRIMARY KEY,"
    " until_at BIGINT NOT NULL,"
    " why TEXT NOT NULL)",

    // A firewall is in one group at most.
    "CREATE TABLE firewall_groups ("
    " firewall TEXT PRIMARY KEY,"
    " name TEXT NOT NULL)",
};

// What users and administrators prove themselves by.
constexpr std::array version_6 = {
    "CREATE TABLE credentials ("
    " username TEXT NOT NULL,"
    " realm TEXT NOT NULL,"
    " owner TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,"
    " md5 TEXT NOT NULL,"
    " sha256 TEXT NOT NULL,"
    " PRIMARY KEY (username, realm))",
    "CREATE INDEX credentials_by_owner ON credentials (owner)",
    "CREATE TABLE administrators (name TEXT PRIMARY KEY, password TEXT NOT NULL)",
};

constexpr std::array version_7 = {
    // In thousandths (RFC 3261 25.1, qvalue).
    "ALTER TABLE locations ADD COLUMN q INTEGER NOT NULL DEFAULT 1000",

    // Of a shared store: what each Security Manager counts (sm/shared_counts.h, sm/shared_usage.h), and when
    // it said so.
    "CREATE TABLE call_counts ("
    " manager TEXT PRIMARY KEY,"
    " counts TEXT NOT NULL,"
    " told_at BIGINT NOT NULL)",
};

// Step i brings version i to version i + 1. A step is never changed once it was released: files of it are
// about.
constexpr auto steps = std::to_array<std::span<const char* const>>({
    version_1,
    version_2,
    version_3,
    version_4,
    version_5,
    version_6,
    version_7,
});

// Numbers that the database gives. Only where the order of adding counts.
constexpr std::string_view id_token = "{id}";

std::string in_dialect(std::string_view statement, Store::Session::Dialect dialect) {
    std::string text(statement);
    if (const auto at = text.find(id_token); at != std::string::npos) {
        text.replace(at, id_token.size(),
                     dialect == Store::Session::Dialect::sqlite
                         ? "INTEGER PRIMARY KEY"
                         : "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY");
    }
    return text;
}

struct Found {
    bool ours = false;
    int version = 0;
    int tables = 0; // besides what tells the version
};

Found look_sqlite(soci::session& sql) {
    Found found;
    int application = 0;
    sql << "PRAGMA application_id", soci::into(application);
    sql << "PRAGMA user_version", soci::into(found.version);
    sql << "SELECT count(*) FROM sqlite_master", soci::into(found.tables);
    found.ours = application == application_id;
    return found;
}

Found look_postgresql(soci::session& sql) {
    Found found;
    int there = 0;
    sql << "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()", soci::into(found.tables);
    sql << "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = "
           "'stem_schema'",
        soci::into(there);
    found.ours = there == 1;
    if (found.ours) {
        sql << "SELECT coalesce(max(version), 0) FROM stem_schema", soci::into(found.version);
    }
    return found;
}

Found look(Store::Session& session) {
    return session.shared() ? look_postgresql(session.sql) : look_sqlite(session.sql);
}

Result<> judge(const Found& found, const std::string& attempt) {
    const bool empty = !found.ours && found.version == 0 && found.tables == 0;
    if (!empty && !found.ours) {
        return fail(attempt, "it is a database of something else", "name another one, or an empty one");
    }
    if (found.version < 0 || found.version > schema_version || (!empty && found.version == 0)) {
        return fail(
            attempt,
            fmt::format("its schema version is {}, this build knows 1 to {}", found.version, schema_version),
            "run the build that wrote it, or name another database to begin anew");
    }
    return {};
}

void note_version(Store::Session& session, int version) {
    soci::session& sql = session.sql;
    if (!session.shared()) {
        sql << fmt::format("PRAGMA application_id = {}", application_id);
        sql << fmt::format("PRAGMA user_version = {}", version);
        return;
    }
    // Each step once, and when.
    sql << "CREATE TABLE IF NOT EXISTS stem_schema (version INTEGER PRIMARY KEY, applied_at TIMESTAMPTZ NOT "
           "NULL)";
    sql << "INSERT INTO stem_schema (version, applied_at) VALUES (:version, now())", soci::use(version);
}

// Security Managers of an older build, which run on: they open it anew, and refuse it.
void tell_others(soci::session& sql) {
    sql << "UPDATE store_state SET revision = revision + 1, checked_revision = revision + 1";
    sql << "INSERT INTO store_changes (revision, kind, name) SELECT revision, 'everything', '' FROM "
           "store_state";
    sql << "NOTIFY stem_store";
}

} // namespace

const int schema_version = static_cast<int>(steps.size());

Result<> Store::bring_up_to_date(Session& session) {
    const std::string attempt = "open database " + session.name;
    soci::session& sql = session.sql;
    while (true) {
        // Several Security Managers may start at once over one database.
        soci::transaction step(sql);
        if (session.shared()) {
            int taken = 0;
            sql << fmt::format("SELECT count(pg_advisory_xact_lock({}))", application_id), soci::into(taken);
        }
        const Found found = look(session);
        if (auto good = judge(found, attempt); !good) {
            return good;
        }
        if (found.version == schema_version) {
            return {};
        }
        for (const char* statement : steps[static_cast<std::size_t>(found.version)]) {
            sql << in_dialect(statement, session.dialect);
        }
        note_version(session, found.version + 1);
        if (session.shared() && found.version + 1 == schema_version) {
            tell_others(sql);
        }
        step.commit();
    }
}

} // namespace stem::sm
