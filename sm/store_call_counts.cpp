// SPDX-License-Identifier: Apache-2.0
#include "sm/store_session.h"

namespace stem::sm {
namespace {

// By the database's clock: machines' own differ.
constexpr std::string_view now = "cast(extract(epoch FROM clock_timestamp()) AS BIGINT)";
// What a limit remembers (sm/limits.h), too.
constexpr std::chrono::seconds forgotten_after{3600};
// Before the name of a Security Manager, in what it tells of limits: a row of its own, which builds that do
// not know of it pass over.
constexpr std::string_view of_limits = "limits of ";
// A row is told a moment before it can be seen.
constexpr std::chrono::seconds unseen{2};

void put(soci::session& sql, const std::string& manager, const std::string& counts) {
    sql << fmt::format(
        "INSERT INTO call_counts (manager, counts, told_at) VALUES (:manager, :counts, {}) "
        "ON CONFLICT (manager) DO UPDATE SET counts = excluded.counts, told_at = excluded.told_at",
        now),
        soci::use(manager), soci::use(counts);
}

} // namespace

Result<std::vector<Store::CallCountsRow>> Store::exchange_call_counts(const std::string& manager,
                                                                      const std::string& counts) {
    using soci::into;
    using soci::use;
    std::vector<CallCountsRow> others;
    const auto done = session_->read("exchange counts of calls", [&] {
        soci::session& sql = session_->sql;
        // Not a change of what anybody decides by: it has no number, and nobody is woken.
        put(sql, manager, counts);
        sql << fmt::format("DELETE FROM call_counts WHERE told_at < {} - {}", now, forgotten_after.count());
        std::string told;
        long long age = 0;
        soci::statement rows = (sql.prepare << fmt::format(
                                    "SELECT counts, {0} - told_at FROM call_counts WHERE manager <> :manager "
                                    "AND manager NOT LIKE '{2}%' AND told_at > {0} - {1} ORDER BY told_at",
                                    now, counts_hold.count(), of_limits),
                                use(manager), into(told), into(age));
        rows.execute();
        while (rows.fetch()) {
            others.push_back({told, std::chrono::seconds(age)});
        }
    });
    return done ? Result<std::vector<Store::CallCountsRow>>(std::move(others))
                : std::unexpected(done.error());
}

Result<Store::UsageExchange> Store::exchange_usage(const std::string& manager,
                                                   const std::optional<std::string>& usage, TimePoint since) {
    using soci::into;
    using soci::use;
    UsageExchange exchange;
    const auto done = session_->read("exchange what limits have counted", [&] {
        soci::session& sql = session_->sql;
        const std::string own = std::string(of_limits) + manager;
        if (usage) {
            put(sql, own, *usage);
        }
        long long clock = 0;
        sql << "SELECT cast(floor(extract(epoch FROM clock_timestamp()) * 1000) AS BIGINT)", into(clock);
        exchange.clock = TimePoint(std::chrono::milliseconds(clock));
        // One that was set back has all of it told anew.
        const long long from = since > exchange.clock ? 0 : unix_seconds(since - unseen);
        UsageRow row;
        soci::statement rows =
            (sql.prepare << fmt::format("SELECT manager, counts FROM call_counts WHERE manager LIKE '{}%' "
                                        "AND manager <> :own AND told_at >= :from",
                                        of_limits),
             use(own), use(from), into(row.manager), into(row.usage));
        rows.execute();
        while (rows.fetch()) {
            exchange.others.push_back(row);
        }
    });
    return done ? Result<UsageExchange>(std::move(exchange)) : std::unexpected(done.error());
}

} // namespace stem::sm
