// SPDX-License-Identifier: Apache-2.0
// Responses that STEM gives in its own name (RFC 3261 8.2.6).
#include "ctl/sip/grammar.h"
#include "ctl/sip/prescan.h"

#include <fmt/core.h>

#include <array>
#include <limits>
#include <utility>

namespace stem::sip {
namespace {

constexpr auto phrases = std::to_array<std::pair<int, std::string_view>>({
    {100, "Trying"},
    {180, "Ringing"},
    {181, "Call Is Being Forwarded"},
    {182, "Queued"},
    {183, "Session Progress"},
    {200, "OK"},
    {202, "Accepted"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Moved Temporarily"},
    {305, "Use Proxy"},
    {380, "Alternative Service"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {410, "Gone"},
    {413, "Request Entity Too Large"},
    {414, "Request-URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Unsupported URI Scheme"},
    {420, "Bad Extension"},
    {421, "Extension Required"},
    {422, "Session Interval Too Small"},
    {423, "Interval Too Brief"},
    {433, "Anonymity Disallowed"},
    {480, "Temporarily Unavailable"},
    {481, "Call/Transaction Does Not Exist"},
    {482, "Loop Detected"},
    {483, "Too Many Hops"},
    {484, "Address Incomplete"},
    {485, "Ambiguous"},
    {486, "Busy Here"},
    {487, "Request Terminated"},
    {488, "Not Acceptable Here"},
    {491, "Request Pending"},
    {493, "Undecipherable"},
    {500, "Server Internal Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Server Time-out"},
    {505, "Version Not Supported"},
    {513, "Message Too Large"},
    {600, "Busy Everywhere"},
    {603, "Decline"},
    {606, "Not Acceptable"},
});

// The request has passed its caps already; here only its form is wanted again.
Limits no_limits() {
    constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
    return {.message = most,
            .start_line = most,
            .header_line = most,
            .headers = most,
            .values_per_header = most,
            .hops = most,
            .values = most,
            .parameters_per_value = most,
            .parameters = most,
            .body = most,
            .identifier = most};
}

bool is_copied(HeaderKind kind, int status) {
    switch (kind) {
    case HeaderKind::via:
    case HeaderKind::from:
    case HeaderKind::to:
    case HeaderKind::call_id:
    case HeaderKind::cseq:
        return true;
    case HeaderKind::timestamp:
        return status == 100; // RFC 3261 8.2.6.1
    default:
        return false;
    }
}

// Settings may give the phrase; a line end in it would end the status line.
void append_printable(std::string& text, std::string_view phrase) {
    for (const char octet : phrase) {
        text += is_of(octet, class_control) ? ' ' : octet;
    }
}

} // namespace

std::string_view phrase_of(int status) {
    for (const auto& [known, phrase] : phrases) {
        if (known == status) {
            return phrase;
        }
    }
    return "Rejected";
}

std::string make_response(std::string_view datagram, const Message& request, int status,
                          std::string_view phrase, std::string_view to_tag, std::chrono::seconds retry_after,
                          const std::vector<std::string>& challenges) {
    Scan scan;
    if (!request.request || prescan(datagram, no_limits(), scan)) {
        return {};
    }
    std::string response = fmt::format("SIP/2.0 {} ", status);
    append_printable(response, phrase);
    response += "\r\n";
    for (const Header& header : scan.headers) {
        if (!is_copied(header.kind, status)) {
            continue;
        }
        std::string_view line = datagram.substr(header.line.offset, header.line.length);
        const bool tag =
            header.kind == HeaderKind::to && status > 100 && request.to_tag.empty() && !to_tag.empty();
        if (tag) {
            while (is_blank(line.back())) {
                line.remove_suffix(1);
            }
        }
        response += line;
        if (tag) {
            response += ";tag=";
            response += to_tag;
        }
        response += "\r\n";
    }
    if (retry_after.count() > 0) {
        response += fmt::format("Retry-After: {}\r\n", retry_after.count());
    }
    for (const std::string& challenge : challenges) {
        response += "Proxy-Authenticate: ";
        append_printable(response, challenge);
        response += "\r\n";
    }
    response += "Content-Length: 0\r\n\r\n";
    return response;
}

} // namespace stem::sip
