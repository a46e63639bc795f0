// SPDX-License-Identifier: Apache-2.0
// Lists of values and their parameters. The cost of a URI in libosip2 grows with the square of its
// parameters, and that of a list with the square of its values: both are counted here first.
#include "ctl/sip/grammar.h"
#include "ctl/sip/prescan.h"

#include <fmt/core.h>

#include <algorithm>

namespace stem::sip {
namespace {

struct Cursor {
    std::size_t start = 0; // of the value
    std::size_t parameters = 0;
    std::size_t open = std::string_view::npos;      // "<"
    std::size_t close = std::string_view::npos;     // ">"
    std::size_t semicolon = std::string_view::npos; // the first one outside of "<" ">"
    bool in_quotes = false;
    bool in_angles = false;
};

std::optional<Rejection> end_value(HeaderKind kind, std::string_view text, std::size_t end,
                                   const Cursor& cursor, const Limits& limits,
                                   std::vector<HeaderValue>& values) {
    if (cursor.in_quotes || cursor.in_angles) {
        return malformed(
            fmt::format("{}: {}: a quote or a bracket without its other half", name_of(kind), quoted(text)));
    }
    const std::string_view value = trimmed(text.substr(cursor.start, end - cursor.start));
    if (value.empty()) {
        return malformed(fmt::format("{}: an empty value", name_of(kind)));
    }
    if (values.size() >= limits.values) {
        return over_limit(fmt::format("more than {} values in all headers", limits.values));
    }
    std::string_view address;
    if (cursor.close != std::string_view::npos) {
        address = text.substr(cursor.open + 1, cursor.close - cursor.open - 1);
    } else {
        const std::size_t stop = std::min(cursor.semicolon, end);
        address = trimmed(text.substr(cursor.start, stop - cursor.start));
    }
    values.push_back({.kind = kind, .text = value, .address = address});
    return std::nullopt;
}

std::optional<Rejection> scan_angle(HeaderKind kind, std::string_view text, std::size_t at, Cursor& cursor) {
    const bool opening = text[at] == '<';
    if (opening == cursor.in_angles || (opening && cursor.close != std::string_view::npos)) {
        return malformed(fmt::format("{}: {}: brackets that do not pair", name_of(kind), quoted(text)));
    }
    (opening ? cursor.open : cursor.close) = at;
    cursor.in_angles = opening;
    return std::nullopt;
}

std::size_t values_of(const std::vector<HeaderValue>& values, HeaderKind kind) {
    return static_cast<std::size_t>(std::ranges::count(values, kind, &HeaderValue::kind));
}

} // namespace

std::optional<Rejection> scan_values(HeaderKind kind, std::string_view text, const Limits& limits,
                                     std::vector<HeaderValue>& values, std::size_t& parameter_count) {
    // A registrar lists all bindings of a user in one Contact header (RFC 3261 10.3).
    const bool may_be_long = is_hops(kind) || kind == HeaderKind::contact;
    const std::size_t cap = may_be_long ? limits.hops : limits.values_per_header;
    // Hops are counted over all headers of their kind, other values within one header.
    std::size_t count = is_hops(kind) ? values_of(values, kind) : 0;
    Cursor cursor;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        const bool last = at == text.size();
        const char octet = last ? ',' : text[at];
        if (cursor.in_quotes && !last) {
            if (octet == '\\') {
                ++at; // the escaped octet; past the end the quote stays open
                if (at == text.size()) {
                    --at;
                }
            } else if (octet == '"') {
                cursor.in_quotes = false;
            }
            continue;
        }
        if (last || (octet == ',' && !cursor.in_angles && is_list(kind))) {
            if (++count > cap) {
                return over_limit(fmt::format("{}: more than {} values", name_of(kind), cap));
            }
            if (auto bad = end_value(kind, text, at, cursor, limits, values)) {
                return bad;
            }
            cursor = Cursor{.start = at + 1};
            continue;
        }
        switch (octet) {
        case '"':
            // A quote inside of <> is no part of a URI.
            if (cursor.in_angles) {
                return malformed(fmt::format("{}: {}: a quote in a URI", name_of(kind), quoted(text)));
            }
            cursor.in_quotes = true;
            break;
        case '<':
        case '>':
            if (auto bad = scan_angle(kind, text, at, cursor)) {
                return bad;
            }
            break;
        case ';':
            if (!cursor.in_angles && cursor.semicolon == std::string_view::npos) {
                cursor.semicolon = at;
            }
            [[fallthrough]];
        case '?':
        case '&':
            if (++cursor.parameters > limits.parameters_per_value) {
                return over_limit(fmt::format("{}: a value with more than {} parameters", name_of(kind),
                                              limits.parameters_per_value));
            }
            if (++parameter_count > limits.parameters) {
                return over_limit(fmt::format("more than {} parameters in all headers", limits.parameters));
            }
            break;
        default:
            break;
        }
    }
    return std::nullopt;
}

} // namespace stem::sip
