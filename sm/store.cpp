// SPDX-License-Identifier: Apache-2.0
#include "sm/store.h"

#include "sm/store_session.h"

#include <soci/sqlite3/soci-sqlite3.h>

#include <fcntl.h>
#include <sys/file.h>

#include <optional>

namespace stem::sm {
namespace {

using soci::use;

// A value for a column that may be NULL.
template<typename T>
struct Nullable {
    T value{};
    soci::indicator indicator = soci::i_null;

    Nullable() = default;
    Nullable(T set, bool present) : value(std::move(set)), indicator(present ? soci::i_ok : soci::i_null) {}
};

struct TreatmentRow {
    std::string action;
    Nullable<std::string> target;
    Nullable<int> status;
    long long deny_seconds;

    explicit TreatmentRow(const Treatment& treatment)
        : action(name_of(treatment.action)),
          target(treatment.target, treatment.action == Treatment::Action::forward),
          status(treatment.status, treatment.action == Treatment::Action::reject),
          deny_seconds(treatment.deny_seconds) {}
};

void insert_rules(soci::session& sql, const std::string& profile, std::span<const Rule> rules) {
    int position = 0;
    for (const Rule& rule : rules) {
        ++position;
        const std::string caller = rule.caller.to_string();
        const bool hours = rule.when && rule.when->hours();
        Nullable<int> days(rule.when ? static_cast<int>(rule.when->days()) : 0, rule.when.has_value());
        Nullable<int> from(hours ? rule.when->hours()->from : 0, hours);
        Nullable<int> to(hours ? rule.when->hours()->to : 0, hours);
        TreatmentRow then(rule.then);
        sql << "INSERT INTO profile_rules (profile, position, caller, days, from_minute, to_minute, action, "
               "target, status, deny_seconds) VALUES (:profile, :position, :caller, :days, :from, :to, "
               ":action, :target, :status, :deny)",
            use(profile), use(position), use(caller), use(days.value, days.indicator),
            use(from.value, from.indicator), use(to.value, to.indicator), use(then.action),
            use(then.target.value, then.target.indicator), use(then.status.value, then.status.indicator),
            use(then.deny_seconds);
    }
}

void insert_uri(soci::session& sql, const std::string& user, const std::string& uri) {
    sql << "INSERT INTO user_uris (uri, user) VALUES (:uri, :user)", use(uri), use(user);
}

// A descriptor of the file, which is made if it is not there, with the lock that keeps other processes out.
Result<UniqueFd> claim(const std::string& file) {
    const std::string attempt = "open database " + file;
    UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return fail_errno(attempt, errno, "name a file in a folder that this user may write to");
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? fail(attempt, "another process has it open", "stop that one, or name another file")
                   : fail_errno(attempt);
    }
    return fd;
}

} // namespace

Store::Store(std::unique_ptr<Session> session) : session_(std::move(session)) {
}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::filesystem::path& file) {
    const std::string& path = file.native();
    const std::string attempt = "open database " + path;
    if (path.empty() || path.find('"') != std::string::npos) {
        return fail(attempt, "not a usable file name", "name a file without quotes in its name");
    }
    auto lock = claim(path);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    try {
        auto session = std::make_unique<Session>(path, std::move(*lock));
        soci::session& sql = session->sql;
        sql.open(soci::sqlite3, "db=\"" + path + "\"");
        std::string found;
        // Someone may look at the file with SQLite's own tools: wait a moment, but never hold up calls for
        // long.
        sql << "PRAGMA busy_timeout = 200", soci::into(found);
        sql << "PRAGMA quick_check(1)", soci::into(found);
        if (found != "ok") {
            return fail(attempt, "it is damaged: " + found,
                        "restore it from a backup, or move it away to begin anew");
        }
        sql << "PRAGMA journal_mode = WAL", soci::into(found);
        // In WAL mode this survives a crash of the process; a power cut may lose the last changes, not the
        // file.
        sql << "PRAGMA synchronous = NORMAL";
        sql << "PRAGMA foreign_keys = ON";
        if (auto ready = bring_up_to_date(sql, path); !ready) {
            return std::unexpected(ready.error());
        }
        return Store(std::move(session));
    } catch (const soci::soci_error& error) {
        return fail(
            attempt, error.get_error_message(),
            "if it is damaged or no database, restore it from a backup or move it away to begin anew");
    } catch (const std::exception& error) {
        return fail(attempt, error.what());
    }
}

Store Store::none() {
    return Store(std::make_unique<Session>("(none)", UniqueFd()));
}

Result<> Store::add_user(const User& user) {
    return session_->attempt("add user " + user.name, [&] {
        soci::session& sql = session_->sql;
        soci::transaction whole(sql);
        Nullable<std::string> profile(user.profile, !user.profile.empty());
        sql << "INSERT INTO users (name, display_name, profile) VALUES (:name, :display, :profile)",
            use(user.name), use(user.display_name), use(profile.value, profile.indicator);
        for (const std::string& uri : user.uris) {
            insert_uri(sql, user.name, uri);
        }
        whole.commit();
    });
}

Result<> Store::change_user(const User& user) {
    return session_->attempt("change user " + user.name, [&] {
        Nullable<std::string> profile(user.profile, !user.profile.empty());
        session_->sql << "UPDATE users SET display_name = :display, profile = :profile WHERE name = :name",
            use(user.display_name), use(profile.value, profile.indicator), use(user.name);
    });
}

Result<> Store::remove_user(std::string_view name) {
    return session_->attempt(fmt::format("remove user {}", name), [&] {
        const std::string key(name);
        session_->sql << "DELETE FROM users WHERE name = :name", use(key);
    });
}

Result<> Store::add_uri(std::string_view user, std::string_view uri) {
    return session_->attempt(fmt::format("add URI {} of user {}", uri, user),
                             [&] { insert_uri(session_->sql, std::string(user), std::string(uri)); });
}

Result<> Store::remove_uri(std::string_view uri) {
    return session_->attempt(fmt::format("remove URI {}", uri), [&] {
        soci::transaction whole(session_->sql);
        const std::string key(uri);
        session_->sql << "DELETE FROM user_uris WHERE uri = :uri", use(key);
        session_->sql << "DELETE FROM locations WHERE origin = 'learned' AND uri = :uri", use(key);
        whole.commit();
    });
}

Result<> Store::put_location(std::string_view user, const Location& location) {
    return session_->attempt(fmt::format("write a location of user {}", user), [&] {
        const std::string key(user);
        const std::string origin(name_of(location.origin));
        const std::string address = location.address.to_string();
        Nullable<long long> expires(location.expires ? unix_seconds(*location.expires) : 0,
                                    location.expires.has_value());
        session_->sql << "INSERT INTO locations (user, origin, uri, contact, address, expires_at) "
                         "VALUES (:user, :origin, :uri, :contact, :address, :expires) "
                         "ON CONFLICT (user, origin, uri, contact) "
                         "DO UPDATE SET address = excluded.address, expires_at = excluded.expires_at",
            use(key), use(origin), use(location.uri), use(location.contact), use(address),
            use(expires.value, expires.indicator);
    });
}

Result<> Store::remove_locations(std::string_view user, std::span<const Location> locations) {
    return session_->attempt(fmt::format("remove locations of user {}", user), [&] {
        soci::transaction whole(session_->sql);
        const std::string key(user);
        for (const Location& location : locations) {
            const std::string origin(name_of(location.origin));
            session_->sql << "DELETE FROM locations WHERE user = :user AND origin = :origin AND uri = :uri "
                             "AND contact = :contact",
                use(key), use(origin), use(location.uri), use(location.contact);
        }
        whole.commit();
    });
}

Result<> Store::remove_expired(TimePoint now) {
    return session_->attempt("remove expired locations", [&] {
        const long long seconds = unix_seconds(now);
        session_->sql << "DELETE FROM locations WHERE expires_at <= :now", use(seconds);
    });
}

Result<> Store::add_profile(const Profile& profile) {
    return session_->attempt("add profile " + profile.name, [&] {
        soci::session& sql = session_->sql;
        soci::transaction whole(sql);
        TreatmentRow fallback(profile.fallback);
        sql << "INSERT INTO profiles (name, action, target, status, deny_seconds) "
               "VALUES (:name, :action, :target, :status, :deny)",
            use(profile.name), use(fallback.action), use(fallback.target.value, fallback.target.indicator),
            use(fallback.status.value, fallback.status.indicator), use(fallback.deny_seconds);
        insert_rules(sql, profile.name, profile.rules);
        whole.commit();
    });
}

Result<> Store::remove_profile(std::string_view name) {
    return session_->attempt(fmt::format("remove profile {}", name), [&] {
        const std::string key(name);
        session_->sql << "DELETE FROM profiles WHERE name = :name", use(key);
    });
}

Result<> Store::set_fallback(std::string_view profile, const Treatment& fallback) {
    return session_->attempt(fmt::format("change the default of profile {}", profile), [&] {
        const std::string key(profile);
        TreatmentRow row(fallback);
        session_->sql << "UPDATE profiles SET action = :action, target = :target, status = :status, "
                         "deny_seconds = :deny WHERE name = :name",
            use(row.action), use(row.target.value, row.target.indicator),
            use(row.status.value, row.status.indicator), use(row.deny_seconds), use(key);
    });
}

Result<> Store::replace_rules(std::string_view profile, std::span<const Rule> rules) {
    return session_->attempt(fmt::format("write the rules of profile {}", profile), [&] {
        soci::session& sql = session_->sql;
        soci::transaction whole(sql);
        const std::string key(profile);
        sql << "DELETE FROM profile_rules WHERE profile = :profile", use(key);
        insert_rules(sql, key, rules);
        whole.commit();
    });
}

Result<> Store::add_spam(const SpamEntry& entry) {
    return session_->attempt("add to a spam list", [&] {
        const std::string caller = entry.caller.to_string();
        Nullable<std::string> user(entry.user, !entry.user.empty());
        const long long deny_seconds = entry.deny_seconds;
        session_->sql << "INSERT INTO spam (caller, user, note, deny_seconds) "
                         "VALUES (:caller, :user, :note, :deny)",
            use(caller), use(user.value, user.indicator), use(entry.note), use(deny_seconds);
    });
}

Result<> Store::remove_spam(const SpamEntry& entry) {
    return session_->attempt("remove from a spam list", [&] {
        const std::string caller = entry.caller.to_string();
        session_->sql << "DELETE FROM spam WHERE caller = :caller AND ifnull(user, '') = :user", use(caller),
            use(entry.user);
    });
}

} // namespace stem::sm
