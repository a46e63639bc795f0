// SPDX-License-Identifier: Apache-2.0
#include "lab/sip_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace stem::lab {
namespace {

bool same_name(std::string_view left, std::string_view right) {
    return std::ranges::equal(
        left, right, [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find("\r\n");
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    }
    return lines;
}

std::string bracketed(const Address& address) {
    return address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
}

} // namespace

std::string SipRequest::text() const {
    std::string text = fmt::format("{} {} SIP/2.0\r\n", method, uri);
    text += fmt::format("Via: SIP/2.0/{} {};branch={};rport\r\n", transport, via.to_string(), branch);
    text += "Max-Forwards: 70\r\n";
    text += fmt::format("From: <{}>;tag={}\r\n", from, from_tag);
    text += fmt::format("To: <{}>{}\r\n", to, to_tag.empty() ? "" : ";tag=" + to_tag);
    text += fmt::format("Call-ID: {}\r\nCSeq: {} {}\r\n", call_id, cseq, method);
    if (method != "CANCEL" && method != "ACK" && method != "BYE") {
        text += fmt::format("Contact: <sip:{}{}>\r\n", via.to_string(),
                            transport == "UDP" ? "" : ";transport=tcp");
    }
    for (const auto& header : headers) {
        text += header + "\r\n";
    }
    if (!body.empty()) {
        text += fmt::format("Content-Type: {}\r\n", content_type);
    }
    return text + fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body);
}

std::string sdp(const Endpoint& media, const std::vector<unsigned>& payload_types, unsigned version) {
    const auto where =
        fmt::format("IN {} {}", media.address.is_v4() ? "IP4" : "IP6", media.address.to_string());
    return fmt::format("v=0\r\no=- 7 {} {}\r\ns=-\r\nc={}\r\nt=0 0\r\nm=audio {} RTP/AVP {}\r\na=ptime:20\r\n"
                       "a=sendrecv\r\n",
                       version, where, where, media.port, fmt::join(payload_types, " "));
}

std::string sip_uri(std::string_view user, const Address& host, unsigned port) {
    return fmt::format("sip:{}@{}{}", user, bracketed(host), port == 0 ? "" : fmt::format(":{}", port));
}

std::string response_text(std::string_view request, int status, std::string_view phrase,
                          std::string_view to_tag, const Endpoint& contact, std::string_view body) {
    std::string text = fmt::format("SIP/2.0 {} {}\r\n", status, phrase);
    for (const char* name : {"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"}) {
        for (const auto& value : headers_of(request, name)) {
            const bool untagged = std::string_view(name) == "To" && !to_tag.empty() && tag_of(value).empty();
            text += fmt::format("{}: {}{}\r\n", name, value, untagged ? fmt::format(";tag={}", to_tag) : "");
        }
    }
    if (contact.port != 0) {
        text += fmt::format("Contact: <sip:{}>\r\n", contact.to_string());
    }
    if (!body.empty()) {
        text += "Content-Type: application/sdp\r\n";
    }
    return text + fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body);
}

SipRequest in_dialog(const SipRequest& invite, std::string_view ok, std::string method, std::string branch) {
    SipRequest request = invite;
    request.method = std::move(method);
    request.branch = std::move(branch);
    request.cseq = request.method == "ACK" ? invite.cseq : invite.cseq + 1;
    request.to_tag = tag_of(header_of(ok, "To").value_or(""));
    request.uri = uri_of(header_of(ok, "Contact").value_or(""));
    request.body.clear();
    request.headers.clear();
    auto routes = headers_of(ok, "Record-Route");
    std::ranges::reverse(routes);
    for (const auto& route : routes) {
        request.headers.push_back("Route: " + route);
    }
    return request;
}

SipRequest cancel_of(const SipRequest& invite) {
    SipRequest request = invite;
    request.method = "CANCEL";
    request.headers.clear();
    request.body.clear();
    return request;
}

SipRequest ack_of_failure(const SipRequest& invite, std::string_view response) {
    SipRequest request = cancel_of(invite);
    request.method = "ACK";
    request.to_tag = tag_of(header_of(response, "To").value_or(""));
    return request;
}

std::vector<std::string> headers_of(std::string_view message, std::string_view name) {
    std::vector<std::string> values;
    const auto head = message.substr(0, message.find("\r\n\r\n"));
    for (const auto line : lines_of(head)) {
        const auto colon = line.find(':');
        if (colon != std::string_view::npos && same_name(trim(line.substr(0, colon)), name)) {
            values.emplace_back(trim(line.substr(colon + 1)));
        }
    }
    return values;
}

std::optional<std::string> header_of(std::string_view message, std::string_view name) {
    auto values = headers_of(message, name);
    if (values.empty()) {
        return std::nullopt;
    }
    return std::move(values.front());
}

int status_of(std::string_view message) {
    int status = 0;
    if (constexpr std::string_view version = "SIP/2.0 "; message.starts_with(version)) {
        std::from_chars(message.data() + version.size(), message.data() + message.size(), status);
    }
    return status;
}

std::string method_of(std::string_view message) {
    if (status_of(message) == 0) {
        return std::string(message.substr(0, message.find(' ')));
    }
    const auto cseq = header_of(message, "CSeq").value_or("");
    return cseq.substr(std::min(cseq.size(), cseq.find(' ') + 1));
}

std::string body_of(std::string_view message) {
    const auto end = message.find("\r\n\r\n");
    return end == std::string_view::npos ? "" : std::string(message.substr(end + 4));
}

std::string tag_of(std::string_view header_value) {
    const auto parameters = header_value.substr(std::min(header_value.size(), header_value.find('>')));
    constexpr std::string_view key = ";tag=";
    const auto start = parameters.find(key);
    if (start == std::string_view::npos) {
        return "";
    }
    const auto tag = parameters.substr(start + key.size());
    return std::string(tag.substr(0, tag.find(';')));
}

std::string uri_of(std::string_view header_value) {
    const auto open = header_value.find('<');
    if (open == std::string_view::npos) {
        return std::string(trim(header_value));
    }
    const auto close = header_value.find('>', open);
    return std::string(
        header_value.substr(open + 1, close == std::string_view::npos ? close : close - open - 1));
}

std::optional<Endpoint> media_of(std::string_view message) {
    Endpoint media;
    bool addressed = false;
    const std::string body = body_of(message);
    for (const auto line : lines_of(body)) {
        if (line.starts_with("c=") && !addressed) {
            const auto address = Address::parse(line.substr(line.rfind(' ') + 1));
            addressed = address.has_value();
            media.address = address.value_or(Address());
        } else if (line.starts_with("m=audio ") && media.port == 0) {
            const auto port = line.substr(8);
            std::from_chars(port.data(), port.data() + port.size(), media.port);
        }
    }
    if (!addressed || media.port == 0) {
        return std::nullopt;
    }
    return media;
}

} // namespace stem::lab
