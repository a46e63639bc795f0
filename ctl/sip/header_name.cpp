// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/header_name.h"

#include "ctl/sip/grammar.h"

#include <array>

namespace stem::sip {
namespace {

constexpr std::array<std::string_view, header_kinds> names = {
    "Via",
    "Route",
    "Record-Route",
    "Contact",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Max-Forwards",
    "Expires",
    "Session-Expires",
    "RSeq",
    "RAck",
    "Replaces",
    "Refer-To",
    "Timestamp",
    "User-Agent",
    "Authorization",
    "Proxy-Authorization",
    "other",
};

// s, k, b, o, u and the later a, d, j, n, y name headers that only their form matters of.
HeaderKind kind_of_compact(char letter) noexcept {
    switch (lower(letter)) {
    case 'v':
        return HeaderKind::via;
    case 'm':
        return HeaderKind::contact;
    case 'f':
        return HeaderKind::from;
    case 't':
        return HeaderKind::to;
    case 'i':
        return HeaderKind::call_id;
    case 'l':
        return HeaderKind::content_length;
    case 'c':
        return HeaderKind::content_type;
    case 'e':
        return HeaderKind::content_encoding;
    case 'x':
        return HeaderKind::session_expires;
    case 'r':
        return HeaderKind::refer_to;
    default:
        return HeaderKind::other;
    }
}

} // namespace

HeaderKind kind_of(std::string_view name) noexcept {
    if (name.size() == 1) {
        return kind_of_compact(name.front());
    }
    for (std::size_t kind = 0; kind + 1 < header_kinds; ++kind) {
        if (same_ignoring_case(names[kind], name)) {
            return static_cast<HeaderKind>(kind);
        }
    }
    return HeaderKind::other;
}

std::string_view name_of(HeaderKind kind) noexcept {
    return names[static_cast<std::size_t>(kind)];
}

} // namespace stem::sip
