// SPDX-License-Identifier: Apache-2.0
// The Store's part for thresholds: what is set, and the changes that led there.
#include "sm/store_session.h"

namespace stem::sm {
namespace {

using soci::into;
using soci::use;

constexpr int history_kept = 1000; // changes, of all thresholds together

struct ChangeRow {
    long long version = 0;
    std::string firewall;
    std::string name;
    long long value = 0;
    soci::indicator value_there = soci::i_null;
    long long at = 0;
    std::string who;

    [[nodiscard]] ThresholdChange read() const {
        return {.version = version,
                .firewall = firewall,
                .name = name,
                .value = value_there == soci::i_ok ? std::optional<std::int64_t>(value) : std::nullopt,
                .at = TimePoint(std::chrono::seconds(at)),
                .who = who};
    }
};

} // namespace

Result<std::int64_t> Store::add_threshold_change(const ThresholdChange& change) {
    long long version = 0;
    auto written = session_->write("change threshold " + change.name, {StoreChange::Kind::thresholds}, [&] {
        soci::session& sql = session_->sql;
        const long long at = unix_seconds(change.at);
        long long value = change.value.value_or(0);
        soci::indicator there = change.value ? soci::i_ok : soci::i_null;
        sql << "UPDATE store_state SET threshold_version = threshold_version + 1";
        sql << "SELECT threshold_version FROM store_state", into(version);
        sql << "INSERT INTO threshold_changes (version, firewall, name, value, changed_at, changed_by) "
               "VALUES (:version, :firewall, :name, :value, :at, :who)",
            use(version), use(change.firewall), use(change.name), use(value, there), use(at), use(change.who);
        sql << "DELETE FROM thresholds WHERE firewall = :firewall AND name = :name", use(change.firewall),
            use(change.name);
        if (change.value) {
            sql << "INSERT INTO thresholds (firewall, name, value, version, changed_at, changed_by) "
                   "VALUES (:firewall, :name, :value, :version, :at, :who)",
                use(change.firewall), use(change.name), use(value), use(version), use(at), use(change.who);
        }
        const long long oldest = version - history_kept;
        sql << "DELETE FROM threshold_changes WHERE version <= :oldest", use(oldest);
    });
    if (!written) {
        return std::unexpected(written.error());
    }
    return version;
}

Result<std::vector<ThresholdChange>> Store::threshold_history(std::string_view name) {
    std::vector<ThresholdChange> changes;
    auto read = session_->read(fmt::format("read the changes of threshold {}", name), [&] {
        const std::string key(name);
        ChangeRow row;
        soci::statement rows =
            (session_->sql.prepare << "SELECT version, firewall, name, value, changed_at, changed_by FROM "
                                      "threshold_changes WHERE name = :name ORDER BY version DESC",
             use(key), into(row.version), into(row.firewall), into(row.name),
             into(row.value, row.value_there), into(row.at), into(row.who));
        rows.execute();
        while (rows.fetch()) {
            changes.push_back(row.read());
        }
    });
    if (!read) {
        return std::unexpected(read.error());
    }
    return changes;
}

void load_thresholds(soci::session& sql, Store::Contents& contents) {
    ChangeRow row;
    soci::statement rows =
        (sql.prepare << "SELECT version, firewall, name, value, changed_at, changed_by FROM "
                        "thresholds ORDER BY version",
         into(row.version), into(row.firewall), into(row.name), into(row.value, row.value_there),
         into(row.at), into(row.who));
    rows.execute();
    while (rows.fetch()) {
        contents.thresholds.push_back(row.read());
    }
    long long version = 0;
    sql << "SELECT threshold_version FROM store_state", into(version);
    contents.threshold_version = version;
}

} // namespace stem::sm
