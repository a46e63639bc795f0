// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/osip_headers.h"

#include "ctl/sip/grammar.h"

#include <osipparser2/osip_parser.h>

#include <cstdarg>

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

std::string copy_for_parser(const Scan& scan) {
    std::string copy = "OPTIONS sip:stem SIP/2.0\r\n";
    std::size_t length = copy.size() + 32;
    for (const Header& header : scan.headers) {
        length += is_structured(header.kind) ? header.value.size() + 16 : 0;
    }
    copy.reserve(length);
    for (const Header& header : scan.headers) {
        if (is_structured(header.kind)) {
            copy += name_of(header.kind);
            copy += ": ";
            copy += header.value;
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
