// SPDX-License-Identifier: Apache-2.0
// The scalar headers: which must be there, and within what range.
#include "ctl/sip/grammar.h"
#include "ctl/sip/prescan.h"

#include <fmt/core.h>

#include <array>

namespace stem::sip {
namespace {

// RFC 3261 8.1.1.5: less than 2**31.
constexpr std::uint64_t cseq_most = 0x7fffffff;

std::optional<Rejection> check_mandatory(const Scan& scan) {
    constexpr std::array mandatory = {HeaderKind::via, HeaderKind::from, HeaderKind::to, HeaderKind::call_id,
                                      HeaderKind::cseq};
    for (const HeaderKind kind : mandatory) {
        if (scan.find(kind) == nullptr) {
            return malformed(fmt::format("no {} header", name_of(kind)));
        }
    }
    return std::nullopt;
}

// CSeq = 1*DIGIT LWS Method
std::optional<Rejection> check_cseq(Scan& scan) {
    const std::string_view value = scan.find(HeaderKind::cseq)->value;
    std::size_t digits = 0;
    while (digits < value.size() && is_digit(value[digits])) {
        ++digits;
    }
    const auto number = number_up_to(value.substr(0, digits), cseq_most);
    scan.cseq_method = trimmed(value.substr(digits));
    if (!number || digits == value.size() || !is_blank(value[digits]) ||
        !all_of_class(scan.cseq_method, class_token)) {
        return malformed(fmt::format("CSeq: {}: not a number and a method", quoted(value)));
    }
    if (*number > cseq_most) {
        return malformed(fmt::format("CSeq: {}: not below 2^31", quoted(value)));
    }
    if (scan.request && scan.cseq_method != scan.method) {
        return malformed(
            fmt::format("CSeq: method {} in a request {}", quoted(scan.cseq_method), quoted(scan.method)));
    }
    scan.cseq = static_cast<std::uint32_t>(*number);
    return std::nullopt;
}

// Call-ID = word [ "@" word ]; more than one "@" is seen in the field and does no harm.
std::optional<Rejection> check_call_id(const Scan& scan, const Limits& limits) {
    const std::string_view value = scan.find(HeaderKind::call_id)->value;
    if (value.empty()) {
        return malformed("Call-ID: empty");
    }
    if (value.size() > limits.identifier) {
        return over_limit(fmt::format("Call-ID of {} octets, cap {}", value.size(), limits.identifier));
    }
    for (const char octet : value) {
        if (octet != '@' && !is_of(octet, class_word)) {
            return malformed(fmt::format("Call-ID: {}: octet that no word holds", quoted(value)));
        }
    }
    return std::nullopt;
}

// RFC 3261 18.3 and 20.14.
std::optional<Rejection> find_body(std::string_view datagram, std::size_t offset, const Limits& limits,
                                   Scan& scan) {
    const std::size_t remaining = datagram.size() - offset;
    std::size_t length = remaining;
    if (const Header* header = scan.find(HeaderKind::content_length)) {
        const auto stated = number_up_to(header->value, 0xffffffff);
        if (!stated) {
            return malformed(fmt::format("Content-Length: {}: not a number", quoted(header->value)));
        }
        if (*stated > remaining) {
            return malformed(fmt::format("Content-Length: {}: more than the {} octets that came",
                                         quoted(header->value), remaining));
        }
        length = static_cast<std::size_t>(*stated);
    }
    if (length > limits.body) {
        return over_limit(fmt::format("body of {} octets, cap {}", length, limits.body));
    }
    scan.body = {.offset = offset, .length = length};
    return std::nullopt;
}

std::optional<Rejection> check_max_forwards(const Scan& scan) {
    if (const Header* header = scan.find(HeaderKind::max_forwards)) {
        const auto number = number_up_to(header->value, 255);
        if (!number || *number > 255) {
            return malformed(fmt::format("Max-Forwards: {}: not in 0 to 255", quoted(header->value)));
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<Rejection> check_fields(std::string_view datagram, std::size_t body_offset,
                                      const Limits& limits, Scan& scan) {
    if (auto bad = check_mandatory(scan)) {
        return bad;
    }
    if (auto bad = check_cseq(scan)) {
        return bad;
    }
    if (auto bad = check_call_id(scan, limits)) {
        return bad;
    }
    if (auto bad = check_max_forwards(scan)) {
        return bad;
    }
    return find_body(datagram, body_offset, limits, scan);
}

} // namespace stem::sip
