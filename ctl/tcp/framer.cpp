// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/framer.h>

#include <algorithm>
#include <optional>
#include <string>

#include "ctl/sip/grammar.h"
#include "ctl/sip/header_name.h"

namespace stem::tcp {
namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::string_view headers_end = "\r\n\r\n";
constexpr std::string_view version = "SIP/2.0"; // not case-sensitive (RFC 3261 7.1)

// "INVITE sip:bob@example.org SIP/2.0", "SIP/2.0 200 OK". As much as tells SIP from HTTP and TLS.
bool is_sip_line(std::string_view line) {
    if (line.size() <= version.size()) {
        return false;
    }
    const std::string_view first = line.substr(0, version.size());
    const std::string_view last = line.substr(line.size() - version.size());
    return (sip::same_ignoring_case(first, version) && line[version.size()] == ' ') ||
           (sip::same_ignoring_case(last, version) && line[line.size() - version.size() - 1] == ' ');
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find(line_end);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + line_end.size());
    return line;
}

struct ContentLength {
    unsigned count = 0;
    std::string value;
};

// `headers`: from behind the start line to before the empty one.
ContentLength find_content_length(std::string_view headers) {
    ContentLength found;
    bool inside = false; // the last header was it, and a folded line goes on with it
    while (!headers.empty()) {
        const std::string_view line = take_line(headers);
        if (!line.empty() && sip::is_blank(line.front())) {
            if (inside) {
                found.value += found.value.empty() ? "" : " ";
                found.value += sip::trimmed(line);
            }
            continue;
        }
        const std::size_t colon = line.find(':');
        inside = colon != std::string_view::npos &&
                 sip::kind_of(sip::trimmed(line.substr(0, colon))) == sip::HeaderKind::content_length;
        if (inside) {
            found.count++;
            found.value = sip::trimmed(line.substr(colon + 1));
        }
    }
    return found;
}

} // namespace

Step Framer::broken(stem_reason reason, std::string_view what) const {
    return {.kind = Step::Kind::broken, .reason = reason, .what = what};
}

Step Framer::look(std::string_view ready) {
    if (ready.empty()) {
        return {};
    }
    if (scanned_ == 0 && total_ == 0 && !is_sip_ && (ready.front() == '\r' || ready.front() == '\n')) {
        std::size_t length = 0;
        while (ready.substr(length, line_end.size()) == line_end) {
            length += line_end.size();
        }
        if (length > 0) {
            return {.kind = Step::Kind::keep_alive, .length = length};
        }
        return ready == "\r" ? Step{}
                             : broken(STEM_TCP_FRAMING, "half a line end where a message should begin");
    }
    return look_at_message(ready);
}

Step Framer::look_at_message(std::string_view ready) {
    if (!is_sip_) {
        if (!sip::is_of(ready.front(), sip::class_token)) {
            return broken(STEM_TCP_FRAMING, "no SIP: it begins with an octet that no message begins with");
        }
        const std::size_t end = ready.find(line_end, scanned_ > 0 ? scanned_ - 1 : 0);
        if (std::min(end, ready.size()) > limits_.start_line) {
            return broken(STEM_TCP_OVER_LIMIT, "a start line longer than [sip.limits] start_line");
        }
        if (end == std::string_view::npos) {
            scanned_ = ready.size();
            return {};
        }
        if (!is_sip_line(ready.substr(0, end))) {
            return broken(STEM_TCP_FRAMING, "no SIP: its first line is no request line and no status line");
        }
        is_sip_ = true;
        scanned_ = end;
    }
    if (total_ == 0) {
        const std::size_t end = ready.find(headers_end, scanned_);
        if (std::min(end, ready.size()) > limits_.message) {
            return broken(STEM_TCP_OVER_LIMIT, "headers longer than [sip.limits] message");
        }
        if (end == std::string_view::npos) {
            // Three octets of the end may be there already.
            scanned_ = std::max(scanned_, ready.size() - std::min(ready.size(), headers_end.size() - 1));
            return {};
        }
        std::string_view headers = ready.substr(0, end + line_end.size());
        (void)take_line(headers);
        const ContentLength field = find_content_length(headers);
        if (field.count != 1) {
            return broken(STEM_TCP_FRAMING, field.count == 0 ? "a message without Content-Length"
                                                             : "a message with two Content-Lengths");
        }
        const auto length = sip::number_up_to(field.value, limits_.message);
        if (!length) {
            return broken(STEM_TCP_FRAMING, "a Content-Length that is no number");
        }
        total_ = end + headers_end.size() + static_cast<std::size_t>(*length);
        if (total_ > limits_.message) {
            return broken(STEM_TCP_OVER_LIMIT, "a message longer than [sip.limits] message");
        }
    }
    if (ready.size() < total_) {
        return {};
    }
    const Step whole{.kind = Step::Kind::message, .length = total_};
    scanned_ = 0;
    is_sip_ = false;
    total_ = 0;
    return whole;
}

} // namespace stem::tcp
