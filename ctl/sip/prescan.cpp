// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/prescan.h"

#include "ctl/sip/grammar.h"

#include <fmt/core.h>

#include <algorithm>

namespace stem::sip {
namespace {

constexpr std::string_view version = "SIP/2.0";

// A line without its CRLF; `next` is where the following one begins.
struct Line {
    std::string_view text;
    std::size_t next = 0;
};

// Octets that no line may hold. Within a quoted string a control octet may stand behind a backslash (RFC 3261
// 25.1, quoted-pair), but never NUL (the parser behind us reads C strings), CR or LF.
std::optional<Rejection> check_octets(std::string_view text, std::size_t number) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char octet = text[at];
        if (!is_of(octet, class_control)) {
            continue;
        }
        if (octet == '\r') {
            return malformed(fmt::format("line {}: CR without LF", number));
        }
        if (octet == '\0' || number == 1 || at == 0 || text[at - 1] != '\\') {
            return malformed(
                fmt::format("line {}: octet 0x{:02x}", number, static_cast<unsigned>(octet) & 0xffU));
        }
    }
    return std::nullopt;
}

std::expected<Line, Rejection> next_line(std::string_view datagram, std::size_t from, std::size_t cap,
                                         std::size_t number) {
    const std::string_view window = datagram.substr(from, cap + 2);
    const std::size_t end = window.find('\n');
    if (end == std::string_view::npos) {
        if (window.size() == cap + 2) {
            return std::unexpected(
                over_limit(fmt::format("line {}: longer than the cap of {} octets", number, cap)));
        }
        return std::unexpected(
            malformed(fmt::format("line {}: no line end: the headers are cut short", number)));
    }
    if (end == 0 || window[end - 1] != '\r') {
        return std::unexpected(malformed(fmt::format("line {}: LF without CR", number)));
    }
    const std::string_view text = window.substr(0, end - 1);
    if (auto bad = check_octets(text, number)) {
        return std::unexpected(*std::move(bad));
    }
    return Line{.text = text, .next = from + end + 1};
}

// Status-Line = SIP-Version SP 3DIGIT SP Reason-Phrase
std::optional<Rejection> scan_status_line(std::string_view line, Scan& scan) {
    const std::string_view rest = line.substr(version.size() + 1);
    if (rest.size() < 4 || !is_digit(rest[0]) || !is_digit(rest[1]) || !is_digit(rest[2]) || rest[3] != ' ') {
        return malformed(fmt::format("status line {}: no status of three digits and a space", quoted(line)));
    }
    scan.status = (rest[0] - '0') * 100 + (rest[1] - '0') * 10 + (rest[2] - '0');
    if (scan.status < 100 || scan.status > 699) {
        return malformed(fmt::format("status {} is not in 100 to 699", scan.status));
    }
    return std::nullopt;
}

// Request-Line = Method SP Request-URI SP SIP-Version
std::optional<Rejection> scan_request_line(std::string_view line, std::size_t offset, const Limits& limits,
                                           Scan& scan) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) {
        return malformed(fmt::format("start line {}: not of three parts", quoted(line)));
    }
    scan.method = line.substr(0, first);
    scan.request_uri = line.substr(first + 1, last - first - 1);
    if (!all_of_class(scan.method, class_token)) {
        return malformed(fmt::format("start line {}: method is no token", quoted(line)));
    }
    if (!same_ignoring_case(line.substr(last + 1), version)) {
        return malformed(fmt::format("start line {}: version is not SIP/2.0", quoted(line)));
    }
    std::size_t parameters = 0;
    for (const char octet : scan.request_uri) {
        if (octet <= ' ' || octet > '~' || octet == '<' || octet == '>' || octet == '"') {
            return malformed(
                fmt::format("request URI {}: octet that no URI holds", quoted(scan.request_uri)));
        }
        parameters += octet == ';' || octet == '?' || octet == '&' ? 1 : 0;
    }
    if (parameters > limits.parameters_per_value) {
        return over_limit(
            fmt::format("request URI with {} parameters, cap {}", parameters, limits.parameters_per_value));
    }
    scan.request = true;
    scan.request_uri_span = {.offset = offset + first + 1, .length = scan.request_uri.size()};
    return std::nullopt;
}

std::optional<Rejection> scan_start_line(std::string_view line, std::size_t offset, const Limits& limits,
                                         Scan& scan) {
    const bool response = line.size() > version.size() && line[version.size()] == ' ' &&
                          same_ignoring_case(line.substr(0, version.size()), version);
    return response ? scan_status_line(line, scan) : scan_request_line(line, offset, limits, scan);
}

// RFC 3261 7.3.1: each line end with the white space around it counts as one space.
std::string_view unfold(std::string_view folded, std::size_t capacity, std::string& unfolded) {
    if (unfolded.capacity() < capacity) {
        unfolded.reserve(capacity); // once: what is unfolded is never longer than what came
    }
    const std::size_t start = unfolded.size();
    while (!folded.empty()) {
        const std::size_t end = std::min(folded.find('\r'), folded.size());
        const std::string_view part = trimmed(folded.substr(0, end));
        if (unfolded.size() != start && !part.empty()) {
            unfolded += ' ';
        }
        unfolded += part;
        folded.remove_prefix(std::min(end + 2, folded.size()));
    }
    return std::string_view(unfolded).substr(start);
}

struct Name {
    std::string_view text;
    std::size_t length = 0; // with the colon
};

// HCOLON = *( SP / HTAB ) ":" SWS
std::expected<Name, Rejection> scan_name(std::string_view line, std::size_t number) {
    std::size_t end = 0;
    while (end < line.size() && is_of(line[end], class_token)) {
        ++end;
    }
    std::size_t colon = end;
    while (colon < line.size() && is_blank(line[colon])) {
        ++colon;
    }
    if (end == 0 || colon == line.size() || line[colon] != ':') {
        return std::unexpected(
            malformed(fmt::format("line {}: {}: no header name and colon", number, quoted(line))));
    }
    return Name{.text = line.substr(0, end), .length = colon + 1};
}

std::optional<Rejection> keep_header(std::string_view datagram, Span line, const Name& name, bool folded,
                                     const Limits& limits, Scan& scan, std::size_t& parameters) {
    const HeaderKind kind = kind_of(name.text);
    const std::string_view raw = datagram.substr(line.offset + name.length, line.length - name.length);
    const bool read = kind != HeaderKind::other;
    const std::string_view value =
        folded && read ? unfold(raw, datagram.size(), scan.unfolded) : trimmed(raw);
    if (scan.headers.size() >= limits.headers) {
        return over_limit(fmt::format("more than {} headers", limits.headers));
    }
    const auto slot = static_cast<std::size_t>(kind);
    scan.headers.push_back({.kind = kind, .line = line, .value = value});
    if (++scan.count[slot] == 1) {
        scan.first[slot] = static_cast<std::uint32_t>(scan.headers.size());
    } else if (is_single(kind)) {
        return malformed(fmt::format("two {} headers", name_of(kind)));
    }
    if (is_list(kind) || kind == HeaderKind::from || kind == HeaderKind::to) {
        return scan_values(kind, value, limits, scan.values, parameters);
    }
    return std::nullopt;
}

} // namespace

std::optional<Rejection> prescan(std::string_view datagram, const Limits& limits, Scan& scan) {
    if (datagram.size() > limits.message) {
        return over_limit(fmt::format("datagram of {} octets, cap {}", datagram.size(), limits.message));
    }
    std::size_t at = 0;
    while (datagram.substr(at, 2) ==
           "\r\n") { // RFC 3261 7.5: CRLF ahead of the start line counts for nothing
        at += 2;
    }
    auto line = next_line(datagram, at, limits.start_line, 1);
    if (!line) {
        return std::move(line).error();
    }
    if (auto bad = scan_start_line(line->text, at, limits, scan)) {
        return bad;
    }
    scan.headers.reserve(24);
    scan.values.reserve(8);
    std::size_t parameters = 0;
    std::size_t number = 2;
    for (at = line->next;; at = line->next) {
        line = next_line(datagram, at, limits.header_line, number);
        if (!line) {
            return std::move(line).error();
        }
        if (line->text.empty()) {
            break;
        }
        const auto name = scan_name(line->text, number);
        if (!name) {
            return name.error();
        }
        Span whole{.offset = at, .length = line->text.size()};
        bool folded = false;
        while (line->next < datagram.size() && is_blank(datagram[line->next])) {
            folded = true;
            ++number;
            const std::size_t used = line->next - whole.offset;
            if (used >= limits.header_line) {
                return over_limit(
                    fmt::format("line {}: {} header, with its folds, longer than the cap of {} octets",
                                number, quoted(name->text), limits.header_line));
            }
            line = next_line(datagram, line->next, limits.header_line - used, number);
            if (!line) {
                return std::move(line).error();
            }
            if (trimmed(line->text).empty()) {
                // Some parsers take a line of white space for the end of the headers, others for a fold.
                return malformed(fmt::format("line {}: a line of white space", number));
            }
            whole.length = line->next - 2 - whole.offset;
        }
        if (auto bad = keep_header(datagram, whole, *name, folded, limits, scan, parameters)) {
            return bad;
        }
        ++number;
    }
    return check_fields(datagram, line->next, limits, scan);
}

} // namespace stem::sip
