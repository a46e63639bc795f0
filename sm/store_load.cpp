// SPDX-License-Identifier: Apache-2.0
#include "sm/store.h"
#include "sm/store_session.h"
#include "sm/string_map.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace stem::sm {
namespace {

using soci::into;
using soci::use;

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

constexpr auto loading_patience = std::chrono::seconds(60);

// All rows, or those of one: "WHERE :all = 1 OR name = :name".
struct Whose {
    int all = 1;
    std::string name = {};
};

struct TreatmentColumns {
    std::string action;
    Nullable<std::string> target;
    Nullable<int> status;
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

std::vector<Profile> load_profiles(soci::session& sql, const Whose& whose = {}) {
    std::vector<Profile> profiles;
    StringMap<std::size_t> index;
    {
        std::string name;
        TreatmentColumns fallback;
        long long max_calls = 0;
        soci::statement rows =
            (sql.prepare << "SELECT name, action, target, status, deny_seconds, max_calls FROM profiles "
                            "WHERE :all = 1 OR name = :name",
             use(whose.all), use(whose.name), into(name), into(fallback.action),
             into(fallback.target.value, fallback.target.indicator),
             into(fallback.status.value, fallback.status.indicator), into(fallback.deny_seconds),
             into(max_calls));
        rows.execute();
        while (rows.fetch()) {
            index.emplace(name, profiles.size());
            profiles.push_back({name, fallback.read("profiles", name), {}, max_calls});
        }
    }
    std::string profile;
    int position = 0;
    std::string caller;
    Nullable<int> days;
    Nullable<int> from;
    Nullable<int> to;
    Nullable<int> registered;
    TreatmentColumns then;
    soci::statement rows =
        (sql.prepare
             << "SELECT profile, position, caller, days, from_minute, to_minute, action, target, status, "
                "deny_seconds, registered FROM profile_rules WHERE :all = 1 OR profile = :name ORDER BY "
                "profile, "
                "position",
         use(whose.all), use(whose.name), into(profile), into(position), into(caller),
         into(days.value, days.indicator), into(from.value, from.indicator), into(to.value, to.indicator),
         into(then.action), into(then.target.value, then.target.indicator),
         into(then.status.value, then.status.indicator), into(then.deny_seconds),
         into(registered.value, registered.indicator));
    rows.execute();
    while (rows.fetch()) {
        constexpr std::string_view table = "profile_rules";
        const std::string row = fmt::format("{} {}", profile, position);
        Rule rule;
        rule.caller = read_or_throw(Pattern::parse(caller), table, row);
        rule.then = then.read(table, row);
        if (registered.present()) {
            rule.registered = registered.value != 0;
        }
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

std::vector<User> load_users(soci::session& sql, const Whose& whose = {}) {
    std::vector<User> users;
    StringMap<std::size_t> index;
    {
        User user;
        Nullable<std::string> profile;
        long long max_calls = 0;
        soci::statement rows = (sql.prepare << "SELECT name, display_name, profile, max_calls FROM users "
                                               "WHERE :all = 1 OR name = :name",
                                use(whose.all), use(whose.name), into(user.name), into(user.display_name),
                                into(profile.value, profile.indicator), into(max_calls));
        rows.execute();
        while (rows.fetch()) {
            user.profile = profile.present() ? profile.value : "";
            user.max_calls = max_calls;
            index.emplace(user.name, users.size());
            users.push_back(user);
        }
    }
    std::string uri;
    std::string name;
    soci::statement rows =
        (sql.prepare
             << "SELECT uri, user_name FROM user_uris WHERE :all = 1 OR user_name = :name ORDER BY id",
         use(whose.all), use(whose.name), into(uri), into(name));
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

std::vector<std::pair<std::string, Location>> load_locations(soci::session& sql, const Whose& whose = {}) {
    std::vector<std::pair<std::string, Location>> locations;
    std::string user;
    std::string origin;
    std::string address;
    Location location;
    Nullable<long long> expires;
    int q = 0;
    soci::statement rows =
        (sql.prepare << "SELECT user_name, origin, uri, contact, address, expires_at, q FROM locations "
                        "WHERE :all = 1 OR user_name = :name",
         use(whose.all), use(whose.name), into(user), into(origin), into(location.uri),
         into(location.contact), into(address), into(expires.value, expires.indicator), into(q));
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
        location.q = known_or_throw(QValue::from_thousandths(q), std::to_string(q), table, row);
        locations.emplace_back(user, location);
    }
    return locations;
}

std::vector<SpamEntry> load_spam(soci::session& sql, const Whose& whose = {}) {
    std::vector<SpamEntry> spam;
    std::string caller;
    Nullable<std::string> user;
    SpamEntry entry;
    long long deny_seconds = 0;
    soci::statement rows = (sql.prepare << "SELECT caller, user_name, note, deny_seconds FROM spam "
                                           "WHERE :all = 1 OR coalesce(user_name, '') = :name ORDER BY id",
                            use(whose.all), use(whose.name), into(caller), into(user.value, user.indicator),
                            into(entry.note), into(deny_seconds));
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

std::vector<Limit> load_limits(soci::session& sql) {
    std::vector<Limit> limits;
    Limit limit;
    std::string times;
    Nullable<long long> level[8];
    long long block_seconds = 0;
    soci::statement rows =
        (sql.prepare << "SELECT name, user_name, prefix, times, calls_per_minute_warning, "
                        "calls_per_minute_critical, concurrent_warning, concurrent_critical, "
                        "duration_warning, duration_critical, sequential_warning, sequential_critical, "
                        "status, block_seconds FROM limits",
         into(limit.name), into(limit.user), into(limit.prefix), into(times),
         into(level[0].value, level[0].indicator), into(level[1].value, level[1].indicator),
         into(level[2].value, level[2].indicator), into(level[3].value, level[3].indicator),
         into(level[4].value, level[4].indicator), into(level[5].value, level[5].indicator),
         into(level[6].value, level[6].indicator), into(level[7].value, level[7].indicator),
         into(limit.status), into(block_seconds));
    rows.execute();
    while (rows.fetch()) {
        std::size_t next = 0;
        for (Levels* levels :
             {&limit.calls_per_minute, &limit.concurrent, &limit.duration, &limit.sequential}) {
            for (auto* value : {&levels->warning, &levels->critical}) {
                const auto& column = level[next++];
                *value = column.present() ? std::optional<std::int64_t>(column.value) : std::nullopt;
            }
        }
        limit.when.reset();
        if (!times.empty()) {
            limit.when = read_or_throw(Schedule::parse(times), "limits", limit.name);
        }
        limit.block_seconds = block_seconds;
        if (auto good = limit.check(); !good) {
            throw BadRow("limits", limit.name, good.error());
        }
        limits.push_back(limit);
    }
    return limits;
}

std::vector<Block> load_blocks(soci::session& sql) {
    std::vector<Block> blocks;
    Block block;
    long long until = 0;
    soci::statement rows = (sql.prepare << "SELECT user_name, until_at, why FROM blocks", into(block.user),
                            into(until), into(block.why));
    rows.execute();
    while (rows.fetch()) {
        block.until = TimePoint(std::chrono::seconds(until));
        blocks.push_back(block);
    }
    return blocks;
}

std::vector<FirewallGroup> load_groups(soci::session& sql) {
    std::vector<FirewallGroup> groups;
    std::string firewall;
    std::string name;
    soci::statement rows =
        (sql.prepare << "SELECT name, firewall FROM firewall_groups ORDER BY name, firewall", into(name),
         into(firewall));
    rows.execute();
    while (rows.fetch()) {
        if (groups.empty() || groups.back().name != name) {
            groups.push_back({name, {}});
        }
        groups.back().firewalls.push_back(firewall);
    }
    return groups;
}

std::vector<std::pair<std::string, Credentials>> load_credentials(soci::session& sql,
                                                                  const Whose& whose = {}) {
    std::vector<std::pair<std::string, Credentials>> all;
    std::string owner;
    Credentials credentials;
    soci::statement rows = (sql.prepare << "SELECT owner, username, realm, md5, sha256 FROM credentials "
                                           "WHERE :all = 1 OR owner = :name ORDER BY owner, realm, username",
                            use(whose.all), use(whose.name), into(owner), into(credentials.username),
                            into(credentials.realm), into(credentials.md5), into(credentials.sha256));
    rows.execute();
    while (rows.fetch()) {
        if (auto good = credentials.check(); !good) {
            throw BadRow("credentials", credentials.username, good.error());
        }
        all.emplace_back(owner, credentials);
    }
    return all;
}

std::vector<Administrator> load_administrators(soci::session& sql) {
    std::vector<Administrator> all;
    Administrator administrator;
    soci::statement rows = (sql.prepare << "SELECT name, password FROM administrators",
                            into(administrator.name), into(administrator.password));
    rows.execute();
    while (rows.fetch()) {
        all.push_back(administrator);
    }
    return all;
}

template<typename T>
void append(std::vector<T>& to, std::vector<T> more) {
    std::ranges::move(more, std::back_inserter(to));
}

// The changes behind `seen`; nothing: so many that the oldest have been cleared away.
std::optional<std::vector<StoreChange>> changes_between(soci::session& sql, long long seen,
                                                        long long newest) {
    std::vector<StoreChange> changes;
    std::string kind;
    StoreChange change;
    soci::statement rows = (sql.prepare << "SELECT kind, name FROM store_changes WHERE revision > :seen "
                                           "ORDER BY revision",
                            use(seen), into(kind), into(change.name));
    rows.execute();
    while (rows.fetch()) {
        change.kind = change_kind_from(kind);
        changes.push_back(change);
    }
    if (static_cast<long long>(changes.size()) != newest - seen) {
        return std::nullopt;
    }
    return changes;
}

// False: all there is, which takes too long for an event loop.
bool note(Store::News& news, const StoreChange& change) {
    switch (change.kind) {
    case StoreChange::Kind::user:
        news.users.insert(change.name);
        return true;
    case StoreChange::Kind::removed_user: // who may be there again
        news.users.insert(change.name);
        news.limits = true;
        return true;
    case StoreChange::Kind::locations:
        news.located.insert(change.name);
        return true;
    case StoreChange::Kind::profile:
        news.profiles.insert(change.name);
        return true;
    case StoreChange::Kind::spam:
        if (change.name.empty()) {
            news.spam = true;
        } else {
            news.users.insert(change.name);
        }
        return true;
    case StoreChange::Kind::thresholds:
        news.thresholds = true;
        return true;
    case StoreChange::Kind::limits:
        news.limits = true;
        return true;
    case StoreChange::Kind::administrators:
        news.administrators = true;
        return true;
    case StoreChange::Kind::everything:
        break;
    }
    return false;
}

void read_news(soci::session& sql, Store::News& news) {
    Store::Contents& contents = news.contents;
    for (const std::string& name : news.profiles) {
        append(contents.profiles, load_profiles(sql, {0, name}));
    }
    for (const std::string& name : news.users) {
        append(contents.users, load_users(sql, {0, name}));
        append(contents.locations, load_locations(sql, {0, name}));
        append(contents.spam, load_spam(sql, {0, name}));
        append(contents.credentials, load_credentials(sql, {0, name}));
        news.located.erase(name);
    }
    for (const std::string& name : news.located) {
        append(contents.locations, load_locations(sql, {0, name}));
    }
    if (news.spam) {
        append(contents.spam, load_spam(sql, {0, {}}));
    }
    if (news.thresholds) {
        load_thresholds(sql, contents);
        contents.groups = load_groups(sql);
    }
    if (news.limits) {
        contents.limits = load_limits(sql);
        contents.blocks = load_blocks(sql);
    }
    if (news.administrators) {
        contents.administrators = load_administrators(sql);
    }
}

long long revision_of(soci::session& sql) {
    long long revision = 0;
    sql << "SELECT revision FROM store_state", into(revision);
    return revision;
}

} // namespace

Store::Contents load_all(soci::session& sql) {
    Store::Contents contents;
    contents.profiles = load_profiles(sql);
    contents.users = load_users(sql);
    contents.locations = load_locations(sql);
    contents.spam = load_spam(sql);
    contents.credentials = load_credentials(sql);
    contents.administrators = load_administrators(sql);
    load_thresholds(sql, contents);
    contents.groups = load_groups(sql);
    contents.limits = load_limits(sql);
    contents.blocks = load_blocks(sql);
    return contents;
}

void begin_moment(soci::session& sql) {
    sql << "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
}

Result<Store::Contents> Store::load() {
    Contents contents;
    const auto read = session_->read(
        "read all of it",
        [&] {
            soci::session& sql = session_->sql;
            soci::transaction moment(sql);
            if (shared()) {
                begin_moment(sql);
                sql << "SET LOCAL statement_timeout = '60s'";
                session_->seen = revision_of(sql);
            }
            contents = load_all(sql);
            moment.commit();
        },
        loading_patience);
    return read ? Result<Contents>(std::move(contents)) : std::unexpected(read.error());
}

Result<Store::News> Store::catch_up() {
    News news;
    if (!shared()) {
        return news;
    }
    const auto read = session_->read("read what others have changed", [&] {
        soci::session& sql = session_->sql;
        soci::transaction moment(sql);
        begin_moment(sql);
        const long long revision = revision_of(sql);
        if (revision != session_->seen) {
            const auto changes = changes_between(sql, session_->seen, revision);
            if (!changes ||
                !std::ranges::all_of(*changes, [&](const auto& change) { return note(news, change); })) {
                session_->lost = session_->reread = true;
                throw std::runtime_error("everything is to be read anew");
            }
            read_news(sql, news);
        }
        moment.commit();
        session_->seen = revision;
    });
    if (!read) {
        return std::unexpected(session_->reread ? session_->away("read what others have changed")
                                                : read.error());
    }
    return news;
}

bool Store::shared() const noexcept {
    return session_->shared();
}

const std::string& Store::name() const noexcept {
    return session_->name;
}

int Store::descriptor() const {
    return shared() && !session_->lost ? postgresql::descriptor(session_->sql) : -1;
}

bool Store::heard() {
    if (!shared() || session_->lost) {
        return false;
    }
    const bool heard = postgresql::heard_of_changes(session_->sql);
    session_->lost = postgresql::is_lost(session_->sql);
    return heard && !session_->lost;
}

bool Store::lost() const noexcept {
    return session_->lost;
}

bool Store::to_be_reread() const noexcept {
    return session_->reread;
}

} // namespace stem::sm
