// SPDX-License-Identifier: Apache-2.0
#include "sm/store.h"

#include "sm/store_session.h"

#include <algorithm>

namespace stem::sm {
namespace {

using soci::use;

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
        Nullable<int> registered(rule.registered.value_or(false) ? 1 : 0, rule.registered.has_value());
        Nullable<int> from(hours ? rule.when->hours()->from : 0, hours);
        Nullable<int> to(hours ? rule.when->hours()->to : 0, hours);
        TreatmentRow then(rule.then);
        sql << "INSERT INTO profile_rules (profile, position, caller, days, from_minute, to_minute, action, "
               "target, status, deny_seconds, registered) VALUES (:profile, :position, :caller, :days, "
               ":from, "
               ":to, :action, :target, :status, :deny, :registered)",
            use(profile), use(position), use(caller), use(days.value, days.indicator),
            use(from.value, from.indicator), use(to.value, to.indicator), use(then.action),
            use(then.target.value, then.target.indicator), use(then.status.value, then.status.indicator),
            use(then.deny_seconds), use(registered.value, registered.indicator);
    }
}

void insert_uri(soci::session& sql, const std::string& user, const std::string& uri) {
    sql << "INSERT INTO user_uris (uri, user_name) VALUES (:uri, :user)", use(uri), use(user);
}

// A statement for each row would make a shared database's round trips of a long list.
constexpr std::size_t spam_rows = 100;

void insert_spam(soci::session& sql, std::span<const SpamEntry> entries) {
    std::vector<std::string> callers;
    std::vector<std::string> users;
    std::vector<std::string> notes;
    std::vector<long long> denials;
    for (const SpamEntry& entry : entries) {
        callers.push_back(entry.caller.to_string());
        users.push_back(entry.user);
        notes.push_back(entry.note);
        denials.push_back(entry.deny_seconds);
    }
    soci::indicator there = users.front().empty() ? soci::i_null : soci::i_ok; // one list: all or none
    std::string text = "INSERT INTO spam (caller, user_name, note, deny_seconds) VALUES ";
    soci::statement rows(sql);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        text += fmt::format("{}(:c{}, :u{}, :n{}, :d{})", i == 0 ? "" : ", ", i, i, i, i);
        rows.exchange(use(callers[i]));
        rows.exchange(use(users[i], there));
        rows.exchange(use(notes[i]));
        rows.exchange(use(denials[i]));
    }
    rows.alloc();
    rows.prepare(text);
    rows.define_and_bind();
    rows.execute(true);
}

} // namespace

Store::Store(std::unique_ptr<Session> session) : session_(std::move(session)) {
}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const StoreAddress& address) {
    const std::string attempt = "open database " + address.name();
    auto session = std::make_unique<Session>(
        address.shared() ? Session::Dialect::postgresql : Session::Dialect::sqlite, address.name());
    try {
        if (address.shared()) {
            postgresql::open(session->sql, address.place());
        } else if (auto opened = open_sqlite(*session, address.place()); !opened) {
            return std::unexpected(opened.error());
        }
        if (auto ready = bring_up_to_date(*session); !ready) {
            return std::unexpected(ready.error());
        }
        if (address.shared()) {
            session->sql << "LISTEN stem_store"; // before load(): nothing falls between
            session->watchdog = std::make_unique<postgresql::Watchdog>(postgresql::descriptor(session->sql));
        }
        return Store(std::move(session));
    } catch (const std::exception& thrown) {
        return fail(
            attempt, words_of(thrown),
            address.shared()
                ? "does it run there, is there that database, and may that user make tables in it?"
                : "if it is damaged or no database, restore it from a backup or move it away to begin anew");
    }
}

Store Store::none() {
    return Store(std::make_unique<Session>(Session::Dialect::none, "(none)"));
}

Result<> Store::add_user(const User& user) {
    return session_->write("add user " + user.name, {StoreChange::Kind::user, user.name}, [&] {
        soci::session& sql = session_->sql;
        Nullable<std::string> profile(user.profile, !user.profile.empty());
        const long long max_calls = user.max_calls;
        sql << "INSERT INTO users (name, display_name, profile, max_calls) "
               "VALUES (:name, :display, :profile, :max)",
            use(user.name), use(user.display_name), use(profile.value, profile.indicator), use(max_calls);
        for (const std::string& uri : user.uris) {
            insert_uri(sql, user.name, uri);
        }
    });
}

Result<> Store::change_user(const User& user) {
    return session_->write("change user " + user.name, {StoreChange::Kind::user, user.name}, [&] {
        Nullable<std::string> profile(user.profile, !user.profile.empty());
        const long long max_calls = user.max_calls;
        session_->sql << "UPDATE users SET display_name = :display, profile = :profile, max_calls = :max "
                         "WHERE name = :name",
            use(user.display_name), use(profile.value, profile.indicator), use(max_calls), use(user.name);
    });
}

Result<> Store::remove_user(std::string_view name) {
    return session_->write(fmt::format("remove user {}", name),
                           {StoreChange::Kind::removed_user, std::string(name)}, [&] {
                               const std::string key(name);
                               session_->sql << "DELETE FROM users WHERE name = :name", use(key);
                               session_->sql << "DELETE FROM limits WHERE user_name = :name", use(key);
                               session_->sql << "DELETE FROM blocks WHERE user_name = :name", use(key);
                           });
}

Result<> Store::add_uri(std::string_view user, std::string_view uri) {
    return session_->write(fmt::format("add URI {} of user {}", uri, user),
                           {StoreChange::Kind::user, std::string(user)},
                           [&] { insert_uri(session_->sql, std::string(user), std::string(uri)); });
}

Result<> Store::remove_uri(std::string_view user, std::string_view uri) {
    return session_->write(
        fmt::format("remove URI {}", uri), {StoreChange::Kind::user, std::string(user)}, [&] {
            const std::string key(uri);
            session_->sql << "DELETE FROM user_uris WHERE uri = :uri", use(key);
            session_->sql << "DELETE FROM locations WHERE origin = 'learned' AND uri = :uri", use(key);
        });
}

Result<> Store::put_location(std::string_view user, const Location& location) {
    return session_->write(
        fmt::format("write a location of user {}", user), {StoreChange::Kind::locations, std::string(user)},
        [&] {
            const std::string key(user);
            const std::string origin(name_of(location.origin));
            const std::string address = location.address.to_string();
            Nullable<long long> expires(location.expires ? unix_seconds(*location.expires) : 0,
                                        location.expires.has_value());
            const int q = location.q.thousandths();
            session_->sql
                << "INSERT INTO locations (user_name, origin, uri, contact, address, expires_at, q) "
                   "VALUES (:user, :origin, :uri, :contact, :address, :expires, :q) "
                   "ON CONFLICT (user_name, origin, uri, contact) DO UPDATE SET "
                   "address = excluded.address, expires_at = excluded.expires_at, q = excluded.q",
                use(key), use(origin), use(location.uri), use(location.contact), use(address),
                use(expires.value, expires.indicator), use(q);
        });
}

Result<> Store::remove_locations(std::string_view user, std::span<const Location> locations) {
    return session_->write(
        fmt::format("remove locations of user {}", user), {StoreChange::Kind::locations, std::string(user)},
        [&] {
            const std::string key(user);
            for (const Location& location : locations) {
                const std::string origin(name_of(location.origin));
                session_->sql
                    << "DELETE FROM locations WHERE user_name = :user AND origin = :origin AND uri = :uri "
                       "AND contact = :contact",
                    use(key), use(origin), use(location.uri), use(location.contact);
            }
        });
}

Result<> Store::remove_expired(TimePoint now) {
    return session_->read("remove expired locations", [&] {
        const long long seconds = unix_seconds(now);
        session_->sql << "DELETE FROM locations WHERE expires_at <= :now", use(seconds);
    });
}

Result<> Store::add_profile(const Profile& profile) {
    return session_->write("add profile " + profile.name, {StoreChange::Kind::profile, profile.name}, [&] {
        soci::session& sql = session_->sql;
        TreatmentRow fallback(profile.fallback);
        const long long max_calls = profile.max_calls;
        sql << "INSERT INTO profiles (name, action, target, status, deny_seconds, max_calls) "
               "VALUES (:name, :action, :target, :status, :deny, :max)",
            use(profile.name), use(fallback.action), use(fallback.target.value, fallback.target.indicator),
            use(fallback.status.value, fallback.status.indicator), use(fallback.deny_seconds), use(max_calls);
        insert_rules(sql, profile.name, profile.rules);
    });
}

Result<> Store::remove_profile(std::string_view name) {
    return session_->write(fmt::format("remove profile {}", name),
                           {StoreChange::Kind::profile, std::string(name)}, [&] {
                               const std::string key(name);
                               session_->sql << "DELETE FROM profiles WHERE name = :name", use(key);
                           });
}

Result<> Store::set_fallback(std::string_view profile, const Treatment& fallback) {
    return session_->write(
        fmt::format("change the default of profile {}", profile),
        {StoreChange::Kind::profile, std::string(profile)}, [&] {
            const std::string key(profile);
            TreatmentRow row(fallback);
            session_->sql << "UPDATE profiles SET action = :action, target = :target, status = :status, "
                             "deny_seconds = :deny WHERE name = :name",
                use(row.action), use(row.target.value, row.target.indicator),
                use(row.status.value, row.status.indicator), use(row.deny_seconds), use(key);
        });
}

Result<> Store::set_max_calls(std::string_view profile, std::int64_t max_calls) {
    return session_->write(fmt::format("change max_calls of profile {}", profile),
                           {StoreChange::Kind::profile, std::string(profile)}, [&] {
                               const std::string key(profile);
                               const long long value = max_calls;
                               session_->sql << "UPDATE profiles SET max_calls = :max WHERE name = :name",
                                   use(value), use(key);
                           });
}

Result<> Store::replace_rules(std::string_view profile, std::span<const Rule> rules) {
    return session_->write(fmt::format("write the rules of profile {}", profile),
                           {StoreChange::Kind::profile, std::string(profile)}, [&] {
                               soci::session& sql = session_->sql;
                               const std::string key(profile);
                               sql << "DELETE FROM profile_rules WHERE profile = :profile", use(key);
                               insert_rules(sql, key, rules);
                           });
}

Result<> Store::add_spam(const SpamEntry& entry) {
    return session_->write("add to a spam list", {StoreChange::Kind::spam, entry.user}, [&] {
        const std::string caller = entry.caller.to_string();
        Nullable<std::string> user(entry.user, !entry.user.empty());
        const long long deny_seconds = entry.deny_seconds;
        session_->sql << "INSERT INTO spam (caller, user_name, note, deny_seconds) "
                         "VALUES (:caller, :user, :note, :deny)",
            use(caller), use(user.value, user.indicator), use(entry.note), use(deny_seconds);
    });
}

Result<> Store::add_spam(std::span<const SpamEntry> entries) {
    if (entries.empty()) {
        return {};
    }
    constexpr auto patience = std::chrono::seconds(60);
    return session_->write(
        "add to a spam list", {StoreChange::Kind::spam, entries.front().user},
        [&] {
            for (auto left = entries; !left.empty();) {
                const auto some = left.first(std::min(left.size(), spam_rows));
                insert_spam(session_->sql, some);
                left = left.subspan(some.size());
            }
        },
        patience);
}

Result<> Store::remove_spam(const SpamEntry& entry) {
    return session_->write("remove from a spam list", {StoreChange::Kind::spam, entry.user}, [&] {
        const std::string caller = entry.caller.to_string();
        session_->sql << "DELETE FROM spam WHERE caller = :caller AND coalesce(user_name, '') = :user",
            use(caller), use(entry.user);
    });
}

} // namespace stem::sm
