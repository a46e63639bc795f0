// SPDX-License-Identifier: Apache-2.0
#include "sm/spam_file.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace stem::sm {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(blanks);
    return begin == std::string_view::npos ? std::string_view()
                                           : text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

// Takes the next field off a line; nullopt: its quotes do not close, or something follows them.
std::optional<std::string> take_field(std::string_view& line) {
    line = line.substr(std::min(line.size(), line.find_first_not_of(blanks)));
    if (!line.starts_with('"')) {
        const auto field = trimmed(line.substr(0, line.find(',')));
        const auto comma = line.find(',');
        line.remove_prefix(comma == std::string_view::npos ? line.size() : comma + 1);
        return std::string(field);
    }
    std::string field;
    line.remove_prefix(1);
    while (!line.empty()) {
        if (line.starts_with("\"\"")) {
            field += '"';
            line.remove_prefix(2);
        } else if (line.front() == '"') {
            line.remove_prefix(1);
            line = trimmed(line);
            if (!line.empty() && line.front() != ',') {
                return std::nullopt;
            }
            line.remove_prefix(line.empty() ? 0 : 1);
            return field;
        } else {
            field += line.front();
            line.remove_prefix(1);
        }
    }
    return std::nullopt;
}

bool names_columns(std::string_view line) {
    const std::string lower = to_lower(line);
    return lower == "caller" || lower == "pattern" || lower.starts_with("caller,") ||
           lower.starts_with("pattern,");
}

Result<SpamEntry> read_line(std::string_view line) {
    const auto caller = take_field(line);
    const auto note = caller ? take_field(line) : std::nullopt;
    if (!caller || !note) {
        return invalid("read fields", "quotes that do not close, or text behind them",
                       "write \"...\", and a quote within as \"\"");
    }
    if (!trimmed(line).empty()) {
        return invalid("read fields", fmt::format("'{}' behind the note", trimmed(line).substr(0, 80)),
                       "write a pattern, a comma and a note; a note with commas in quotes");
    }
    auto pattern = Pattern::parse(*caller);
    if (!pattern) {
        return std::unexpected(pattern.error());
    }
    if (auto good = check_text("note", *note, 256); !good) {
        return std::unexpected(good.error());
    }
    return SpamEntry{.caller = std::move(*pattern), .user = {}, .note = *note};
}

} // namespace

Result<std::vector<SpamLine>> read_spam_file(std::string_view file, std::string_view text,
                                             std::int64_t deny_seconds) {
    std::vector<SpamLine> lines;
    bool first = true;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = text.find('\n');
        const std::string_view line = trimmed(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (line.empty() || line.front() == '#') {
            continue;
        }
        if (std::exchange(first, false) && names_columns(line)) {
            continue;
        }
        auto entry = read_line(line);
        if (!entry) {
            Error error = entry.error();
            error.attempt = fmt::format("{}:{}: {}", file, number, error.attempt);
            return std::unexpected(std::move(error));
        }
        entry->deny_seconds = deny_seconds;
        lines.push_back({number, std::move(*entry)});
    }
    return lines;
}

} // namespace stem::sm
