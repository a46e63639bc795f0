// SPDX-License-Identifier: Apache-2.0
#include "sm/store_backup.h"

#include "sm/failure.h"
#include "sm/pki/signature.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

namespace json = boost::json;

constexpr const char* attempt = "read a backup";
constexpr const char* whole_remedy = "give the whole file that stemctl backup has written, unchanged";
constexpr std::size_t longest_line = 1U << 20;
constexpr std::size_t most_columns = 64;

std::unexpected<Error> bad_line(std::size_t line, std::string cause, std::string remedy = whole_remedy) {
    return invalid(attempt, fmt::format("line {}: {}", line, std::move(cause)), std::move(remedy));
}

Result<json::object> object_of(std::string_view text, std::size_t line) {
    json::error_code error;
    const json::value value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) {
        return bad_line(line, error ? "not JSON: " + error.message() : std::string("not a JSON object"));
    }
    return value.get_object();
}

std::optional<std::int64_t> integer_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_int64() ? std::optional(value->get_int64()) : std::nullopt;
}

// Names of columns go into statements as they are.
bool is_column(std::string_view name) {
    return !name.empty() && name.size() <= 63 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

Result<> check_head(std::string_view text, int schema) {
    const auto head = object_of(text, 1);
    if (!head) {
        return std::unexpected(head.error());
    }
    const auto format = integer_of(*head, "stem_backup");
    const auto made_by = integer_of(*head, "schema");
    if (!format || !made_by) {
        return bad_line(1, "it does not begin as a backup does");
    }
    if (*format != backup_format || *made_by > schema || *made_by < 1) {
        return bad_line(1,
                        fmt::format("format {}, schema {}; this build knows format {} and schemas up to {}",
                                    *format, *made_by, backup_format, schema),
                        "restore it with the build that made it, or a newer one");
    }
    return {};
}

Result<BackupRow> row_of(std::string_view text, std::size_t line) {
    auto object = object_of(text, line);
    if (!object) {
        return std::unexpected(object.error());
    }
    const auto* name = object->if_contains("table");
    auto* row = object->if_contains("row");
    if (name == nullptr || !name->is_string() || row == nullptr || !row->is_object()) {
        return bad_line(line, "neither a row nor the end");
    }
    const auto table =
        std::ranges::find(backup_tables(), std::string_view(name->get_string()), &BackupTable::name);
    if (table == backup_tables().end()) {
        return bad_line(
            line, fmt::format("no table '{}' is known", std::string_view(name->get_string()).substr(0, 80)));
    }
    const auto usable = [](const auto& member) {
        const auto& value = member.value();
        return is_column(member.key()) && (value.is_string() || value.is_int64() || value.is_null());
    };
    auto& columns = row->get_object();
    if (columns.empty() || columns.size() > most_columns || !std::ranges::all_of(columns, usable)) {
        return bad_line(line, "not a row of a table");
    }
    return BackupRow{.line = line, .table = &*table, .row = std::move(columns)};
}

Result<> check_end(const json::object& end, std::size_t line, std::size_t rows, std::string_view before) {
    const auto* digest = end.if_contains("sha256");
    if (integer_of(end, "rows") != static_cast<std::int64_t>(rows)) {
        return bad_line(line, fmt::format("it speaks of another number of rows than the {} there are", rows));
    }
    if (digest == nullptr || !digest->is_string() ||
        std::string_view(digest->get_string()) != pki::sha256(before)) {
        return bad_line(line, "the digest is not that of the lines before: they were changed");
    }
    return {};
}

} // namespace

const std::vector<BackupTable>& backup_tables() {
    static const std::vector<BackupTable> tables{
        {"profiles", "name"},
        {"profile_rules", "profile, position"},
        {"users", "name"},
        {"user_uris", "id", "id"},
        {"credentials", "realm, username"},
        {"administrators", "name"},
        {"locations", "user_name, origin, uri, contact"},
        {"spam", "id", "id"},
        {"thresholds", "firewall, name"},
        {"threshold_changes", "version"},
        {"limits", "name"},
        {"blocks", "user_name"},
        {"firewall_groups", "firewall"},
    };
    return tables;
}

const std::vector<std::string_view>& tables_without_backup() {
    static const std::vector<std::string_view> tables{"store_state", "store_changes", "stem_schema",
                                                      "call_counts"};
    return tables;
}

Result<std::vector<BackupRow>> backup_rows_from(std::string_view document, int schema) {
    if (document.size() > max_backup) {
        return invalid(attempt, fmt::format("{} octets, at most {}", document.size(), max_backup));
    }
    std::vector<BackupRow> rows;
    std::size_t line = 0;
    std::size_t at = 0;
    while (at < document.size()) {
        ++line;
        const auto text = document.substr(at, document.find('\n', at) - at);
        if (text.size() > longest_line) {
            return bad_line(line, "longer than any line of a backup");
        }
        const auto before = document.substr(0, at);
        at += text.size() + 1;
        if (line == 1) {
            if (auto good = check_head(text, schema); !good) {
                return std::unexpected(good.error());
            }
            continue;
        }
        auto row = row_of(text, line);
        if (row) {
            rows.push_back(std::move(*row));
            continue;
        }
        const auto last = object_of(text, line);
        const auto* end = last ? last->if_contains("end") : nullptr;
        if (end == nullptr || !end->is_object()) {
            return std::unexpected(row.error());
        }
        if (auto good = check_end(end->get_object(), line, rows.size(), before); !good) {
            return std::unexpected(good.error());
        }
        return at >= document.size() ? Result<std::vector<BackupRow>>(std::move(rows))
                                     : bad_line(line + 1, "there is more behind the end");
    }
    return bad_line(line + 1, "the end is missing: it was cut off");
}

BackupCounts counts_of(const std::vector<BackupRow>& rows) {
    BackupCounts counts;
    for (const BackupRow& row : rows) {
        ++counts[std::string(row.table->name)];
    }
    return counts;
}

BackupWriter::BackupWriter(int schema, std::string_view made_at)
    : document_(json::serialize(
                    json::object{{"stem_backup", backup_format}, {"schema", schema}, {"made_at", made_at}}) +
                "\n") {
}

void BackupWriter::add(std::string_view table, const json::object& row) {
    document_ += json::serialize(json::object{{"table", table}, {"row", row}});
    document_ += '\n';
    ++rows_;
}

std::string BackupWriter::finish() && {
    const std::string digest = pki::sha256(document_);
    document_ += json::serialize(json::object{{"end", json::object{{"rows", rows_}, {"sha256", digest}}}});
    document_ += '\n';
    return std::move(document_);
}

} // namespace stem::sm
