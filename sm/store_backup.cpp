// SPDX-License-Identifier: Apache-2.0
// Backups are written from any table's columns, whatever they are, and read into them, all or nothing.
#include "sm/store_backup.h"

#include "sm/store_session.h"
#include "sm/timestamp.h"

#include <algorithm>
#include <span>

namespace stem::sm {
namespace {

namespace json = boost::json;
using soci::into;
using soci::use;

// Both take as long as they take: calls wait, which docs/security-manager.md says.
constexpr auto backup_patience = std::chrono::minutes(2);
// Rows in one statement: a round trip each would take minutes over a network.
constexpr std::size_t rows_at_once = 64;

json::value value_of(const soci::row& row, std::size_t column) {
    if (row.get_indicator(column) == soci::i_null) {
        return nullptr;
    }
    switch (row.get_properties(column).get_data_type()) {
    case soci::dt_integer:
        return row.get<int>(column);
    case soci::dt_long_long:
        return row.get<long long>(column);
    default:
        return json::string(row.get<std::string>(column));
    }
}

void dump(soci::session& sql, const BackupTable& table, BackupWriter& writer) {
    soci::row row;
    soci::statement rows =
        (sql.prepare << fmt::format("SELECT * FROM {} ORDER BY {}", table.name, table.order), into(row));
    rows.execute();
    while (rows.fetch()) {
        json::object members;
        for (std::size_t column = 0; column < row.size(); ++column) {
            const std::string& name = row.get_properties(column).get_name();
            if (name != table.serial) {
                members[name] = value_of(row, column);
            }
        }
        writer.add(table.name, members);
    }
}

bool same_columns(const BackupRow& a, const BackupRow& b) {
    return a.table == b.table && std::ranges::equal(
                                     a.row, b.row, {}, [](const auto& member) { return member.key(); },
                                     [](const auto& member) { return member.key(); });
}

std::string insertion(std::span<const BackupRow> rows) {
    std::string text = fmt::format("INSERT INTO {} (", rows.front().table->name);
    const char* separator = "";
    for (const auto& member : rows.front().row) {
        text += separator;
        text += std::string_view(member.key());
        separator = ", ";
    }
    text += ") VALUES ";
    std::size_t number = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        text += row == 0 ? "(" : ", (";
        for (std::size_t column = 0; column < rows.front().row.size(); ++column) {
            text += fmt::format("{}:v{}", column == 0 ? "" : ", ", number++);
        }
        text += ")";
    }
    return text;
}

// All of one table, with the same columns.
void insert(soci::session& sql, std::span<const BackupRow> rows) {
    std::vector<Nullable<std::string>> texts;
    std::vector<Nullable<long long>> numbers;
    const std::size_t cells = rows.size() * rows.front().row.size();
    texts.reserve(cells); // what is bound must stay in its place
    numbers.reserve(cells);
    soci::statement statement(sql);
    for (const BackupRow& row : rows) {
        for (const auto& member : row.row) {
            const json::value& value = member.value();
            if (value.is_int64()) {
                auto& cell = numbers.emplace_back(value.get_int64(), true);
                statement.exchange(use(cell.value, cell.indicator));
            } else {
                auto& cell = value.is_string() ? texts.emplace_back(std::string(value.get_string()), true)
                                               : texts.emplace_back();
                statement.exchange(use(cell.value, cell.indicator));
            }
        }
    }
    statement.alloc();
    statement.prepare(insertion(rows));
    statement.define_and_bind();
    statement.execute(true);
}

bool is_empty(soci::session& sql) {
    return std::ranges::all_of(backup_tables(), [&](const BackupTable& table) {
        long long rows = 0;
        sql << fmt::format("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT 1) AS found", table.name),
            into(rows);
        return rows == 0;
    });
}

void insert_all(soci::session& sql, std::span<const BackupRow> rows) {
    while (!rows.empty()) {
        std::size_t count = 1;
        while (count < std::min(rows.size(), rows_at_once) && same_columns(rows.front(), rows[count])) {
            ++count;
        }
        try {
            insert(sql, rows.first(count));
        } catch (const soci::soci_error& error) {
            throw BadDocument(fmt::format("lines {} to {}, table {}: {}", rows.front().line,
                                          rows[count - 1].line, rows.front().table->name, words_of(error)));
        }
        rows = rows.subspan(count);
    }
}

// Firewalls know thresholds by the version: none that was given before may mean others now.
void advance_thresholds(soci::session& sql) {
    long long version = 0;
    long long newest = 0;
    sql << "SELECT threshold_version FROM store_state", into(version);
    sql << "SELECT coalesce(max(version), 0) FROM threshold_changes", into(newest);
    version = std::max(version, newest) + 1;
    sql << "UPDATE store_state SET threshold_version = :version", use(version);
}

} // namespace

Result<std::string> Store::backup(TimePoint now) {
    BackupWriter writer(schema_version, to_timestamp(now));
    const auto read = session_->read(
        "back it up",
        [&] {
            soci::session& sql = session_->sql;
            soci::transaction moment(sql);
            if (shared()) {
                begin_moment(sql);
                sql << "SET LOCAL statement_timeout = '120s'";
            }
            for (const BackupTable& table : backup_tables()) {
                dump(sql, table, writer);
            }
            moment.commit();
        },
        backup_patience);
    return read ? Result<std::string>(std::move(writer).finish()) : std::unexpected(read.error());
}

Result<Store::Contents> Store::restore(const std::vector<BackupRow>& rows, bool replace) {
    Contents contents;
    const auto done = session_->write(
        "restore a backup", {StoreChange::Kind::everything},
        [&] {
            soci::session& sql = session_->sql;
            if (shared()) {
                sql << "SET LOCAL statement_timeout = '120s'";
            }
            if (!replace && !is_empty(sql)) {
                throw NotEmpty();
            }
            for (auto table = backup_tables().rbegin(); table != backup_tables().rend(); ++table) {
                sql << fmt::format("DELETE FROM {}", table->name);
            }
            insert_all(sql, rows);
            advance_thresholds(sql);
            try {
                contents = load_all(sql); // what could not be read at the next start must not be there
            } catch (const BadRow& bad) {
                throw BadDocument(bad.what());
            }
        },
        backup_patience);
    return done ? Result<Contents>(std::move(contents)) : std::unexpected(done.error());
}

} // namespace stem::sm
