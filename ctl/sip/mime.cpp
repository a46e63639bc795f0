// SPDX-License-Identifier: Apache-2.0
#include "ctl/sip/mime.h"

#include "ctl/sip/grammar.h"

#include <fmt/core.h>

#include <algorithm>

namespace stem::sip {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::size_t longest_boundary = 70; // RFC 2046 5.1.1
constexpr unsigned deepest = 2; // a multipart within a multipart (RFC 5621 3.2 has no deeper ones)

using Failure = std::optional<std::string>;

// "type/subtype" of a Content-Type, lower case; "" where it is none.
std::string media_type(std::string_view value) {
    const std::string_view text = value.substr(0, value.find(';'));
    const std::size_t slash = text.find('/');
    if (slash == npos) {
        return {};
    }
    const std::string_view type = trimmed(text.substr(0, slash));
    const std::string_view subtype = trimmed(text.substr(slash + 1));
    return type.empty() || subtype.empty() ? std::string() : lowered(type) + "/" + lowered(subtype);
}

// Takes the next parameter, a quoted semicolon being none of its ends.
std::string_view next_parameter(std::string_view& rest) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < rest.size() && (quoted || rest[end] != ';'); ++end) {
        if (quoted && rest[end] == '\\') {
            ++end;
        } else if (rest[end] == '"') {
            quoted = !quoted;
        }
    }
    const std::string_view parameter = trimmed(rest.substr(0, std::min(end, rest.size())));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return parameter;
}

// The boundary, without its quotes; "" where there is none, or two.
std::string_view boundary_of(std::string_view content_type) {
    std::string_view boundary;
    next_parameter(content_type);
    while (!content_type.empty()) {
        const std::string_view parameter = next_parameter(content_type);
        const std::size_t equals = parameter.find('=');
        if (equals == npos || !same_ignoring_case(trimmed(parameter.substr(0, equals)), "boundary")) {
            continue;
        }
        std::string_view value = trimmed(parameter.substr(equals + 1));
        if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
            value = value.substr(1, value.size() - 2);
        }
        if (!boundary.empty() || value.find_first_of("\"\\\r\n") != npos) {
            return {};
        }
        boundary = value;
    }
    return boundary.size() <= longest_boundary && !boundary.ends_with(' ') ? boundary : std::string_view();
}

bool is_plain(std::string_view encoding) {
    return encoding.empty() || same_ignoring_case(trimmed(encoding), "identity");
}

// The headers of a part that say how to read it.
struct PartHeaders {
    std::string content_type;
    std::string content_encoding;
    std::string transfer_encoding;
    std::string disposition;
};

void keep_header(std::string_view line, PartHeaders& headers) {
    const std::size_t colon = line.find(':');
    if (colon == npos) {
        return;
    }
    const std::string_view name = trimmed(line.substr(0, colon));
    const std::string_view value = trimmed(line.substr(colon + 1));
    for (const auto& [known, place] :
         {std::pair<std::string_view, std::string*>{"content-type", &headers.content_type},
          {"c", &headers.content_type},
          {"content-encoding", &headers.content_encoding},
          {"content-transfer-encoding", &headers.transfer_encoding},
          {"content-disposition", &headers.disposition}}) {
        if (same_ignoring_case(name, known)) {
            *place = value;
        }
    }
}

class Walk {
  public:
    Walk(std::string_view datagram, const Limits& limits) : datagram_(datagram), limits_(limits) {}

    Failure enter(Span body, std::string_view content_type, std::string_view encoding, unsigned depth);
    [[nodiscard]] Span found() const { return found_; }

  private:
    Failure walk_parts(Span body, std::string_view boundary, unsigned depth);
    Failure read_part(Span part, unsigned depth);
    std::expected<Span, std::string> read_headers(Span part, PartHeaders& headers) const;
    [[nodiscard]] std::string_view text_of(Span span) const {
        return datagram_.substr(span.offset, span.length);
    }

    std::string_view datagram_;
    const Limits& limits_;
    Span found_;
    bool any_ = false;
    std::size_t parts_ = 0;
};

Failure Walk::enter(Span body, std::string_view content_type, std::string_view encoding, unsigned depth) {
    const std::string type = media_type(content_type);
    const bool session = type == "application/sdp";
    if (!session && !type.starts_with("multipart/")) {
        return std::nullopt;
    }
    if (!is_plain(encoding)) {
        return fmt::format("a description in the encoding {}", quoted(encoding));
    }
    if (session) {
        if (any_) {
            return "two session descriptions";
        }
        any_ = true;
        found_ = body;
        return std::nullopt;
    }
    if (depth == deepest) {
        return fmt::format("parts within parts, {} deep", depth + 1);
    }
    const std::string_view boundary = boundary_of(content_type);
    if (boundary.empty()) {
        return fmt::format("{} without a boundary that holds", quoted(content_type));
    }
    return walk_parts(body, boundary, depth);
}

// RFC 2046 5.1.1: each part begins after a line "--boundary", and ends with the CRLF before the next; the
// last line is "--boundary--". What comes before the first and after the last counts for nothing.
Failure Walk::walk_parts(Span body, std::string_view boundary, unsigned depth) {
    const std::string_view text = text_of(body);
    std::size_t part = npos; // where the open part begins
    std::size_t at = 0;
    while (at < text.size()) { // at the start of a line
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        if (line.starts_with("--") && line.substr(2).starts_with(boundary)) {
            line = trimmed(line.substr(2 + boundary.size()));
            if (line.ends_with('\r')) {
                line = trimmed(line.substr(0, line.size() - 1));
            }
            const bool last = line == "--";
            if (last || line.empty()) {
                if (part != npos) {
                    const std::size_t stop = at >= part + 2 && text[at - 2] == '\r' ? at - 2 : at - 1;
                    if (auto bad = read_part({body.offset + part, std::max(stop, part) - part}, depth)) {
                        return bad;
                    }
                }
                if (last) {
                    return std::nullopt;
                }
                part = std::min(end + 1, text.size());
            }
        }
        at = end + 1;
    }
    return "a multipart body without its last boundary";
}

std::expected<Span, std::string> Walk::read_headers(Span part, PartHeaders& headers) const {
    const std::string_view text = text_of(part);
    std::string unfolded;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        at = std::min(end + 1, text.size());
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        if (!line.empty() && is_blank(line.front())) {
            unfolded += ' ';
            unfolded += trimmed(line);
        } else {
            keep_header(unfolded, headers);
            unfolded = line;
        }
        if (unfolded.size() > limits_.header_line) {
            return std::unexpected(
                fmt::format("a part's header of more than {} octets", limits_.header_line));
        }
        if (line.empty()) {
            return Span{.offset = part.offset + at, .length = part.length - at};
        }
    }
    return std::unexpected(std::string("a part without an empty line after its headers"));
}

Failure Walk::read_part(Span part, unsigned depth) {
    if (++parts_ > limits_.parts) {
        return fmt::format("more than {} parts", limits_.parts);
    }
    PartHeaders headers;
    const auto content = read_headers(part, headers);
    if (!content) {
        return content.error();
    }
    const std::string_view disposition =
        trimmed(std::string_view(headers.disposition).substr(0, headers.disposition.find(';')));
    if (same_ignoring_case(disposition, "early-session")) {
        return std::nullopt;
    }
    const std::string type = media_type(headers.content_type);
    const std::string transfer = lowered(headers.transfer_encoding);
    if (type == "application/sdp" && !transfer.empty() && transfer != "binary" && transfer != "8bit" &&
        transfer != "7bit") {
        return fmt::format("a description in the transfer encoding {}", quoted(transfer));
    }
    return enter(*content, headers.content_type, headers.content_encoding, depth + 1);
}

} // namespace

std::expected<Span, std::string> find_session(std::string_view datagram, Span body,
                                              const BodyHeaders& headers, const Limits& limits) {
    if (body.length == 0) {
        return Span{};
    }
    Walk walk(datagram, limits);
    if (auto bad = walk.enter(body, headers.content_type, headers.content_encoding, 0)) {
        return std::unexpected(*std::move(bad));
    }
    return walk.found();
}

} // namespace stem::sip
