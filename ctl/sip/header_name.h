// SPDX-License-Identifier: Apache-2.0
// The headers that STEM reads or checks; any other is `other`, and only its form is looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stem::sip {

enum class HeaderKind : std::uint8_t {
    via,
    route,
    record_route,
    contact,
    from,
    to,
    call_id,
    cseq,
    content_length,
    content_type,
    content_encoding,
    max_forwards,
    expires,
    session_expires,
    rseq,
    rack,
    replaces,
    refer_to,
    timestamp,
    user_agent,
    authorization,
    proxy_authorization,
    other,
};

inline constexpr std::size_t header_kinds = static_cast<std::size_t>(HeaderKind::other) + 1;

// Names are compared without regard to case; compact forms (RFC 3261 7.3.3 and the registry) are known.
HeaderKind kind_of(std::string_view name) noexcept;
std::string_view name_of(HeaderKind kind) noexcept; // "Call-ID"

// Headers that a message may carry once at most.
constexpr bool is_single(HeaderKind kind) noexcept {
    return kind >= HeaderKind::from && kind <= HeaderKind::timestamp;
}

// Comma-separated lists of addresses or hops, in which each value is looked at.
constexpr bool is_list(HeaderKind kind) noexcept {
    return kind <= HeaderKind::contact;
}
constexpr bool is_hops(HeaderKind kind) noexcept {
    return kind <= HeaderKind::record_route;
}

// What libosip2 is given.
constexpr bool is_structured(HeaderKind kind) noexcept {
    return kind <= HeaderKind::cseq;
}

} // namespace stem::sip
