// SPDX-License-Identifier: Apache-2.0
// A backup of a Store, which either database can take in: lines of JSON. The first says what it is, each
// further one is a row of a table, the last has the number of rows and the SHA-256 of all octets before it.
//
//   {"stem_backup": 1, "schema": 4, "made_at": "2026-11-28T10:00:00Z"}
//   {"table": "users", "row": {"name": "alice", "display_name": "", "profile": null}}
//   {"end": {"rows": 1, "sha256": "…"}}
#pragma once

#include <stem/error.h>

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sm {

inline constexpr int backup_format = 1;
// Octets of a backup that is taken in.
inline constexpr std::size_t max_backup = 256U * 1024U * 1024U;

// In the order in which they can be filled: what is referred to comes first. `serial`: a column that the
// database numbers, which only keeps an order: it is not in the backup, but the rows are in its order.
struct BackupTable {
    std::string_view name;
    std::string_view order;
    std::string_view serial = {};
};
// Every table of the schema, but those that only keep the database's own account.
const std::vector<BackupTable>& backup_tables();
const std::vector<std::string_view>& tables_without_backup();

struct BackupRow {
    std::size_t line = 0; // from 1
    const BackupTable* table = nullptr;
    boost::json::object row; // strings, integers, null
};
// Fails on what is no backup, is cut off or changed, or is of a newer format or schema; the error names the
// line.
Result<std::vector<BackupRow>> backup_rows_from(std::string_view document, int schema);

// What a backup holds, or what was taken in.
using BackupCounts = std::map<std::string, std::uint64_t, std::less<>>;
BackupCounts counts_of(const std::vector<BackupRow>& rows);

class BackupWriter {
  public:
    BackupWriter(int schema, std::string_view made_at);
    void add(std::string_view table, const boost::json::object& row);
    std::string finish() &&;

  private:
    std::string document_;
    std::uint64_t rows_ = 0;
};

} // namespace stem::sm
