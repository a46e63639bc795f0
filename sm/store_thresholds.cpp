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
    auto written = session_->attempt("change threshold " + change.name, [&] {
        soci::session& sql = session_->sql;
        soci::transaction whole(sql);
        const long long at = unix_seconds(change.at);
        long long value = change.value.value_or(0);
        soci::indicator there = change.value ? soci::i_ok : soci::i_null;
        sql << "INSERT INTO threshold_changes (firewall, name, value, changed_at, changed_by) "
               "VALUES (:firewall, :name, :value, :at, :who)",
            use(change.firewall), use(change.name), use(value, there), use(at), use(change.who);
        sql << "SELECT last_insert_rowid()", into(version);
        sql << "DELETE FROM thresholds WHERE firewall = :firewall AND name = :name", use(change.firewall),
            use(change.name);
        if (change.value) {
            sql << "INSERT INTO thresholds (firewall, name, value, version, changed_at, changed_by) "
                   "VALUES (:firewall, :name, :value, :version, :at, :who)",
                use(change.firewall), use(change.name), use(value), use(version), use(at), use(change.who);
        }
        const long long oldest = version - history_kept;
        sql << "DELETE FROM threshold_changes WHERE version <= :oldest", use(oldest);
        whole.commit();
    });
    if (!written) {
        return std::unexpected(written.error());
    }
    return version;
}

Result<std::vector<ThresholdChange>> Store::threshold_history(std::string_view name) {
    std::vector<ThresholdChange> changes;
    auto read = session_->attempt(fmt::format("read the changes of threshold {}", name), [&] {
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

Result<std::vector<ThresholdChange>> Store::load_thresholds() {
    std::vector<ThresholdChange> settings;
    auto read = session_->attempt("read the thresholds", [&] {
        ChangeRow row;
        soci::statement rows =
            (session_->sql.prepare << "SELECT version, firewall, name, value, changed_at, changed_by FROM "
                                      "thresholds ORDER BY version",
             into(row.version), into(row.firewall), into(row.name), into(row.value, row.value_there),
             into(row.at), into(row.who));
        rows.execute();
        while (rows.fetch()) {
            settings.push_back(row.read());
        }
        // A reset may have been the last change of all.
        ChangeRow last;
        last.value_there = soci::i_null;
        session_->sql << "SELECT ifnull(max(version), 0) FROM threshold_changes", into(last.version);
        settings.push_back(last.read());
    });
    if (!read) {
        return std::unexpected(read.error());
    }
    return settings;
}

} // namespace stem::sm
