// SPDX-License-Identifier: Apache-2.0
// The first look at a datagram: one bounded pass over its octets, before any parser sees them.
//
// It refuses what parsers disagree about or pay too much for: line ends other than CRLF, octets that are no
// text, headers that may be there once and are there twice, numbers out of range, counts above the caps.
// What it lets through, libosip2 reads in time linear in its length.
#pragma once

#include "ctl/sip/header_name.h"
#include "ctl/sip/message.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem::sip {

// One value of a Via, Route, Record-Route, Contact, From or To.
struct HeaderValue {
    HeaderKind kind;
    std::string_view text;    // trimmed
    std::string_view address; // the URI in it: between "<" and ">", or up to the first parameter
};

struct Header {
    HeaderKind kind;
    Span line;              // in the datagram: name to the last octet before the final CRLF
    std::string_view value; // unfolded and trimmed
};

// Views point into the datagram or, for folded headers, into `unfolded`: a Scan stays where it is.
class Scan {
  public:
    Scan() = default;
    ~Scan() = default;
    Scan(const Scan&) = delete;
    Scan& operator=(const Scan&) = delete;

    bool request = false;
    std::string_view method;      // of a request
    std::string_view request_uri; // of a request
    Span request_uri_span;
    int status = 0; // of a response
    std::vector<Header> headers;
    std::vector<HeaderValue> values;
    std::uint32_t cseq = 0;
    std::string_view cseq_method;
    Span body;

    // The first header of its kind, or nothing.
    [[nodiscard]] const Header* find(HeaderKind kind) const noexcept {
        const std::size_t at = first[static_cast<std::size_t>(kind)];
        return at == 0 ? nullptr : &headers[at - 1];
    }

    std::array<std::uint32_t, header_kinds> count{};
    std::array<std::uint32_t, header_kinds> first{}; // index into headers, plus one
    std::string unfolded;                            // reserved once, so that it never moves
};

// Fills `scan`. Nothing is returned where the message may go on to the parser.
std::optional<Rejection> prescan(std::string_view datagram, const Limits& limits, Scan& scan);

// Splits a header's value and counts its parameters; `value_count` and `parameter_count` are of all headers
// so far. For From and To the whole is one value.
std::optional<Rejection> scan_values(HeaderKind kind, std::string_view value, const Limits& limits,
                                     std::vector<HeaderValue>& values, std::size_t& parameter_count);

// Reads CSeq, Call-ID, Content-Length and the other scalar headers; needs `scan.headers`.
// `body_offset`: where the octets after the headers begin.
std::optional<Rejection> check_fields(std::string_view datagram, std::size_t body_offset,
                                      const Limits& limits, Scan& scan);

inline Rejection malformed(std::string what) {
    return {STEM_SIP_MALFORMED, std::move(what)};
}
inline Rejection over_limit(std::string what) {
    return {STEM_SIP_OVER_LIMIT, std::move(what)};
}

} // namespace stem::sip
