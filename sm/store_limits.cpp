// SPDX-License-Identifier: Apache-2.0
// The Store's part for limits of outgoing calls, those whom they have blocked, and groups of firewalls.
#include "sm/store_session.h"

namespace stem::sm {
namespace {

using soci::use;

struct LevelColumn {
    long long value;
    soci::indicator indicator;

    explicit LevelColumn(const std::optional<std::int64_t>& level)
        : value(level.value_or(0)), indicator(level ? soci::i_ok : soci::i_null) {}
};

} // namespace

Result<> Store::put_limit(const Limit& limit) {
    return session_->write("write limit " + limit.name, {StoreChange::Kind::limits}, [&] {
        soci::session& sql = session_->sql;
        sql << "DELETE FROM limits WHERE name = :name", use(limit.name);
        const std::string times = limit.when ? limit.when->to_string() : "";
        const long long block_seconds = limit.block_seconds;
        LevelColumn rate[] = {LevelColumn(limit.calls_per_minute.warning),
                              LevelColumn(limit.calls_per_minute.critical)};
        LevelColumn concurrent[] = {LevelColumn(limit.concurrent.warning),
                                    LevelColumn(limit.concurrent.critical)};
        LevelColumn duration[] = {LevelColumn(limit.duration.warning), LevelColumn(limit.duration.critical)};
        LevelColumn sequential[] = {LevelColumn(limit.sequential.warning),
                                    LevelColumn(limit.sequential.critical)};
        sql << "INSERT INTO limits (name, user_name, prefix, times, calls_per_minute_warning, "
               "calls_per_minute_critical, concurrent_warning, concurrent_critical, duration_warning, "
               "duration_critical, sequential_warning, sequential_critical, status, block_seconds) "
               "VALUES (:name, :user, :prefix, :times, :rw, :rc, :cw, :cc, :dw, :dc, :sw, :sc, :status, "
               ":block)",
            use(limit.name), use(limit.user), use(limit.prefix), use(times),
            use(rate[0].value, rate[0].indicator), use(rate[1].value, rate[1].indicator),
            use(concurrent[0].value, concurrent[0].indicator),
            use(concurrent[1].value, concurrent[1].indicator), use(duration[0].value, duration[0].indicator),
            use(duration[1].value, duration[1].indicator), use(sequential[0].value, sequential[0].indicator),
            use(sequential[1].value, sequential[1].indicator), use(limit.status), use(block_seconds);
    });
}

Result<> Store::remove_limit(std::string_view name) {
    return session_->write(fmt::format("remove limit {}", name), {StoreChange::Kind::limits}, [&] {
        const std::string key(name);
        session_->sql << "DELETE FROM limits WHERE name = :name", use(key);
    });
}

Result<> Store::put_block(const Block& block) {
    return session_->write("block user " + block.user, {StoreChange::Kind::limits}, [&] {
        soci::session& sql = session_->sql;
        const long long until = unix_seconds(block.until);
        sql << "DELETE FROM blocks WHERE user_name = :user", use(block.user);
        sql << "INSERT INTO blocks (user_name, until_at, why) VALUES (:user, :until, :why)", use(block.user),
            use(until), use(block.why);
    });
}

Result<> Store::remove_block(std::string_view user) {
    return session_->write(fmt::format("unblock user {}", user), {StoreChange::Kind::limits}, [&] {
        const std::string key(user);
        session_->sql << "DELETE FROM blocks WHERE user_name = :user", use(key);
    });
}

Result<> Store::put_group(const FirewallGroup& group) {
    return session_->write("write group " + group.name, {StoreChange::Kind::thresholds}, [&] {
        soci::session& sql = session_->sql;
        sql << "DELETE FROM firewall_groups WHERE name = :name", use(group.name);
        for (const std::string& firewall : group.firewalls) {
            sql << "DELETE FROM firewall_groups WHERE firewall = :firewall", use(firewall);
            sql << "INSERT INTO firewall_groups (firewall, name) VALUES (:firewall, :name)", use(firewall),
                use(group.name);
        }
    });
}

} // namespace stem::sm
