// SPDX-License-Identifier: Apache-2.0
#include "sm/store.h"
#include "sm/store_session.h"
#include "sm/string_map.h"

namespace stem::sm {
namespace {

using soci::into;

// A row that cannot be read: someone has edited the file by hand. Caught in load(), never seen outside.
class BadRow : public std::runtime_error {
  public:
    BadRow(std::string_view table, std::string_view row, const Error& error)
        : std::runtime_error(fmt::format("table {}, row {}: {}", table, row, error.message())) {}
};

template<typename T>
T read_or_throw(Result<T> read, std::string_view table, std::string_view row) {
    if (!read) {
        throw BadRow(table, row, read.error());
    }
    return std::move(*read);
}

template<typename T>
T known_or_throw(std::optional<T> value, std::string_view word, std::string_view table,
                 std::string_view row) {
    if (!value) {
        throw BadRow(table, row, Error{fmt::format("read '{}'", word), "unknown word"});
    }
    return *value;
}

template<typename T>
struct Column {
    T value{};
    soci::indicator indicator = soci::i_null;

    [[nodiscard]] bool present() const { return indicator == soci::i_ok; }
};

struct TreatmentColumns {
    std::string action;
    Column<std::string> target;
    Column<int> status;
    long long deny_seconds = 0;

    [[nodiscard]] Treatment read(std::string_view table, std::string_view row) const {
        Treatment treatment;
        treatment.action = known_or_throw(action_from(action), action, table, row);
        treatment.target = target.present() ? target.value : "";
        treatment.status = status.present() ? status.value : 0;
        treatment.deny_seconds = deny_seconds;
        if (auto good = treatment.check(); !good) {
            throw BadRow(table, row, good.error());
        }
        return treatment;
    }
};

std::vector<Profile> load_profiles(soci::session& sql) {
    std::vector<Profile> profiles;
    StringMap<std::size_t> index;
    {
        std::string name;
        TreatmentColumns fallback;
        soci::statement rows =
            (sql.prepare << "SELECT name, action, target, status, deny_seconds FROM profiles", into(name),
             into(fallback.action), into(fallback.target.value, fallback.target.indicator),
             into(fallback.status.value, fallback.status.indicator), into(fallback.deny_seconds));
        rows.execute();
        while (rows.fetch()) {
            index.emplace(name, profiles.size());
            profiles.push_back({name, fallback.read("profiles", name), {}});
        }
    }
    std::string profile;
    int position = 0;
    std::string caller;
    Column<int> days;
    Column<int> from;
    Column<int> to;
    TreatmentColumns then;
    soci::statement rows =
        (sql.prepare
             << "SELECT profile, position, caller, days, from_minute, to_minute, action, target, status, "
                "deny_seconds FROM profile_rules ORDER BY profile, position",
         into(profile), into(position), into(caller), into(days.value, days.indicator),
         into(from.value, from.indicator), into(to.value, to.indicator), into(then.action),
         into(then.target.value, then.target.indicator), into(then.status.value, then.status.indicator),
         into(then.deny_seconds));
    rows.execute();
    while (rows.fetch()) {
        constexpr std::string_view table = "profile_rules";
        const std::string row = fmt::format("{} {}", profile, position);
        Rule rule;
        rule.caller = read_or_throw(Pattern::parse(caller), table, row);
        rule.then = then.read(table, row);
        if (days.present()) {
            std::optional<Schedule::Hours> hours;
            if (from.present() && to.present()) {
                hours = Schedule::Hours{from.value, to.value};
            }
            rule.when = read_or_throw(Schedule::make(static_cast<unsigned>(days.value), hours), table, row);
        }
        const auto at = index.find(profile);
        if (at == index.end()) {
            throw BadRow(table, row, Error{"find profile " + profile, "it does not exist"});
        }
        profiles[at->second].rules.push_back(std::move(rule));
    }
    return profiles;
}

std::vector<User> load_users(soci::session& sql) {
    std::vector<User> users;
    StringMap<std::size_t> index;
    {
        User user;
        Column<std::string> profile;
        soci::statement rows =
            (sql.prepare << "SELECT name, display_name, profile FROM users", into(user.name),
             into(user.display_name), into(profile.value, profile.indicator));
        rows.execute();
        while (rows.fetch()) {
            user.profile = profile.present() ? profile.value : "";
            index.emplace(user.name, users.size());
            users.push_back(user);
        }
    }
    std::string uri;
    std::string name;
    soci::statement rows =
        (sql.prepare << "SELECT uri, user FROM user_uris ORDER BY id", into(uri), into(name));
    rows.execute();
    while (rows.fetch()) {
        const auto at = index.find(name);
        if (at == index.end()) {
            throw BadRow("user_uris", uri, Error{"find user " + name, "it does not exist"});
        }
        users[at->second].uris.push_back(
            read_or_throw(AddressOfRecord::parse(uri), "user_uris", uri).to_string());
    }
    return users;
}

std::vector<std::pair<std::string, Location>> load_locations(soci::session& sql) {
    std::vector<std::pair<std::string, Location>> locations;
    std::string user;
    std::string origin;
    std::string address;
    Location location;
    Column<long long> expires;
    soci::statement rows =
        (sql.prepare << "SELECT user, origin, uri, contact, address, expires_at FROM locations", into(user),
         into(origin), into(location.uri), into(location.contact), into(address),
         into(expires.value, expires.indicator));
    rows.execute();
    while (rows.fetch()) {
        constexpr std::string_view table = "locations";
        const std::string row = user + " " + location.contact;
        location.origin = known_or_throw(origin_from(origin), origin, table, row);
        location.address = read_or_throw(Address::parse(address), table, row);
        location.expires.reset();
        if (expires.present()) {
            location.expires = TimePoint(std::chrono::seconds(expires.value));
        }
        locations.emplace_back(user, location);
    }
    return locations;
}

std::vector<SpamEntry> load_spam(soci::session& sql) {
    std::vector<SpamEntry> spam;
    std::string caller;
    Column<std::string> user;
    SpamEntry entry;
    long long deny_seconds = 0;
    soci::statement rows =
        (sql.prepare << "SELECT caller, user, note, deny_seconds FROM spam ORDER BY id", into(caller),
         into(user.value, user.indicator), into(entry.note), into(deny_seconds));
    rows.execute();
    while (rows.fetch()) {
        entry.caller = read_or_throw(Pattern::parse(caller), "spam", caller);
        entry.user = user.present() ? user.value : "";
        entry.deny_seconds = deny_seconds;
        if (auto good = check_deny_seconds(entry.deny_seconds); !good) {
            throw BadRow("spam", caller, good.error());
        }
        spam.push_back(entry);
    }
    return spam;
}

} // namespace

Result<Store::Contents> Store::load() {
    Contents contents;
    try {
        soci::session& sql = session_->sql;
        contents.profiles = load_profiles(sql);
        contents.users = load_users(sql);
        contents.locations = load_locations(sql);
        contents.spam = load_spam(sql);
    } catch (const BadRow& bad) {
        return fail("read database " + session_->file, bad.what(), "mend the row with sqlite3, or remove it");
    } catch (const soci::soci_error& error) {
        return session_->failure("read all of it", error.get_error_message());
    } catch (const std::exception& error) {
        return session_->failure("read all of it", error.what());
    }
    return contents;
}

} // namespace stem::sm
