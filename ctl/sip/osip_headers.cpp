// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/osip_headers.h"

#include "ctl/sip/grammar.h"

#include <osipparser2/osip_parser.h>

#include <algorithm>
#include <cstdarg>
#include <functional>

namespace stem::sip {
namespace {

// libosip2 prints each message that it refuses to standard output unless told otherwise.
void swallow_trace(const char*, int, osip_trace_level_t, const char*, va_list) {
}

bool start_parser() {
    osip_trace_initialize_func(TRACE_LEVEL0, swallow_trace);
    for (int level = TRACE_LEVEL0; level < END_TRACE_LEVEL; ++level) {
        osip_trace_disable_level(static_cast<osip_trace_level_t>(level));
    }
    return parser_init() == 0;
}

// libosip2 5.3.0 refuses an address of fewer than seven octets where a parameter follows it ("sip:a;tag=x",
// RFC 3261 25.1 allows it), and takes it where none does: a response to such a request, to which we add a To
// tag, could not be read. It gets a longer one, in brackets, with the same scheme and host.
constexpr std::size_t shortest_address = 8;
constexpr std::string_view padding = ";short-uri";

bool is_too_short(const HeaderValue& value) noexcept {
    return value.kind != HeaderKind::via && value.text != "*" && !value.address.empty() &&
           value.address.size() < shortest_address;
}

// `next`: the first of the scan's values that is in this header or behind it.
void append_value(const Scan& scan, const Header& header, std::size_t& next, std::string& copy) {
    std::string_view rest = header.value;
    const auto offset_in_rest = [&rest](std::string_view part) {
        return static_cast<std::size_t>(part.data() - rest.data());
    };
    for (; next < scan.values.size() && scan.values[next].kind == header.kind; ++next) {
        const HeaderValue& value = scan.values[next];
        if (std::less<>{}(header.value.data() + header.value.size(), value.text.data() + value.text.size()) ||
            std::less<>{}(value.text.data(), header.value.data())) {
            break; // of the next header of this kind
        }
        if (!is_too_short(value)) {
            continue;
        }
        const std::size_t at = offset_in_rest(value.address);
        const bool bracketed = at > 0 && rest[at - 1] == '<';
        copy += rest.substr(0, at);
        copy += bracketed ? "" : "<";
        copy += value.address;
        copy += padding;
        copy += bracketed ? "" : ">";
        rest.remove_prefix(at + value.address.size());
    }
    copy += rest;
}

std::string copy_for_parser(const Scan& scan) {
    std::string copy = "OPTIONS sip:stem SIP/2.0\r\n";
    std::size_t length = copy.size() + 32;
    for (const Header& header : scan.headers) {
        length += is_structured(header.kind) ? header.value.size() + 16 : 0;
    }
    length +=
        static_cast<std::size_t>(std::ranges::count_if(scan.values, is_too_short)) * (padding.size() + 2);
    copy.reserve(length);
    std::size_t next = 0;
    for (const Header& header : scan.headers) {
        if (is_structured(header.kind)) {
            copy += name_of(header.kind);
            copy += ": ";
            append_value(scan, header, next, copy);
            copy += "\r\n";
        }
    }
    copy += "Content-Length: 0\r\n\r\n";
    return copy;
}

} // namespace

std::expected<OsipMessage, Rejection> read_headers(const Scan& scan) {
    static const bool started = start_parser(); // once, whichever thread comes first
    osip_message_t* raw = nullptr;
    if (!started || osip_message_init(&raw) != 0) {
        return std::unexpected(malformed("libosip2 could not be started"));
    }
    OsipMessage message(raw);
    const std::string copy = copy_for_parser(scan);
    if (osip_message_parse(raw, copy.data(), copy.size()) != 0) {
        return std::unexpected(malformed("libosip2 refuses the headers"));
    }
    return message;
}

OsipParameters::Found OsipParameters::find(std::string_view name) const noexcept {
    Found found;
    osip_list_iterator_t iterator;
    for (void* item = osip_list_get_first(list_, &iterator); item != nullptr;
         item = osip_list_get_next(&iterator)) {
        const auto* parameter = static_cast<const osip_generic_param_t*>(item);
        if (same_ignoring_case(trimmed(text_of(parameter->gname)), name)) {
            if (++found.count == 1) {
                found.value = trimmed(text_of(parameter->gvalue));
            }
        }
    }
    return found;
}

} // namespace stem::sip
