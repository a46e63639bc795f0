// SPDX-License-Identifier: Apache-2.0
#include "sm/store_session.h"

namespace stem::sm {
namespace {

// By the database's clock: machines' own differ.
constexpr std::string_view now = "cast(extract(epoch FROM clock_timestamp()) AS BIGINT)";
constexpr std::chrono::seconds forgotten_after{3600};

} // namespace

Result<std::vector<Store::CallCountsRow>> Store::exchange_call_counts(const std::string& manager,
                                                                      const std::string& counts) {
    using soci::into;
    using soci::use;
    std::vector<CallCountsRow> others;
    const auto done = session_->read("exchange counts of calls", [&] {
        soci::session& sql = session_->sql;
        // Not a change of what anybody decides by: it has no number, and nobody is woken.
        sql << fmt::format(
            "INSERT INTO call_counts (manager, counts, told_at) VALUES (:manager, :counts, {}) "
            "ON CONFLICT (manager) DO UPDATE SET counts = excluded.counts, told_at = excluded.told_at",
            now),
            use(manager), use(counts);
        sql << fmt::format("DELETE FROM call_counts WHERE told_at < {} - {}", now, forgotten_after.count());
        std::string told;
        long long age = 0;
        soci::statement rows = (sql.prepare << fmt::format(
                                    "SELECT counts, {0} - told_at FROM call_counts WHERE manager <> :manager "
                                    "AND told_at > {0} - {1} ORDER BY told_at",
                                    now, counts_hold.count()),
                                use(manager), into(told), into(age));
        rows.execute();
        while (rows.fetch()) {
            others.push_back({told, std::chrono::seconds(age)});
        }
    });
    return done ? Result<std::vector<Store::CallCountsRow>>(std::move(others))
                : std::unexpected(done.error());
}

} // namespace stem::sm
