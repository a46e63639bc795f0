// SPDX-License-Identifier: Apache-2.0
#include "sm/uri.h"

#include "sm/failure.h"

#include <stem/address.h>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace stem::sm {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int hex_value(char c) {
    if (is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::unexpected<Error> unreadable(std::string_view text, std::string cause) {
    return invalid(fmt::format("read URI '{}'", text.substr(0, 80)), std::move(cause),
                   "write sip:bob@example.org or tel:+49301234");
}

// RFC 3261 25.1: unreserved and user-unreserved stand in a user part as they are.
bool stands_bare(char c) {
    return is_alpha(c) || is_digit(c) ||
           std::string_view("-_.!~*'()&=+$,;?/").find(c) != std::string_view::npos;
}

std::string escaped(std::string_view user) {
    std::string text;
    for (const char c : user) {
        if (stands_bare(c)) {
            text += c;
        } else {
            text += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return text;
}

// nullopt: a broken escape, or one that hides a control character.
std::optional<std::string> unescaped(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            plain += text[i];
            continue;
        }
        const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        const int octet = high * 16 + low;
        if (high < 0 || low < 0 || octet < 0x20 || octet == 0x7f) {
            return std::nullopt;
        }
        plain += static_cast<char>(octet);
        i += 2;
    }
    return plain;
}

bool is_port(std::string_view text) {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

// Lower-case host of "host", "host:port", "[v6]", "[v6]:port"; also a bare IPv6 address.
std::optional<std::string> host_of(std::string_view hostport) {
    std::string_view host = hostport;
    std::string_view port;
    if (hostport.starts_with('[')) {
        const auto close = hostport.find(']');
        if (close == std::string_view::npos) {
            return std::nullopt;
        }
        host = hostport.substr(0, close + 1);
        port = hostport.substr(close + 1);
    } else if (std::ranges::count(hostport, ':') == 1) {
        host = hostport.substr(0, hostport.find(':'));
        port = hostport.substr(host.size());
    }
    if (!port.empty() && (port.front() != ':' || !is_port(port.substr(1)))) {
        return std::nullopt;
    }
    if (host.find(':') != std::string_view::npos) {
        const auto address = Address::parse(host);
        return address ? std::optional(address->to_string()) : std::nullopt;
    }
    if (host.ends_with('.')) {
        host.remove_suffix(1);
    }
    const auto allowed = [](char c) {
        return is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
    };
    if (host.empty() || host.size() > 253 || !std::ranges::all_of(host, allowed)) {
        return std::nullopt;
    }
    return to_lower(host);
}

Result<AddressOfRecord> parse_tel(std::string_view text, std::string_view rest) {
    const std::string_view subscriber = rest.substr(0, rest.find(';'));
    auto number = plain_number(subscriber);
    if (!number || subscriber.find(' ') != std::string_view::npos) {
        return unreadable(text, fmt::format("'{}' is not a telephone number", subscriber));
    }
    AddressOfRecord record{.tel = true, .user = std::move(*number), .host = {}};
    constexpr std::string_view context = ";phone-context=";
    const std::string lower = to_lower(rest);
    const auto begin = lower.find(context);
    if (!record.user.starts_with('+') && begin != std::string::npos) {
        const auto value = std::string_view(lower).substr(begin + context.size());
        record.host = value.substr(0, value.find(';'));
    }
    return record;
}

Result<AddressOfRecord> parse_sip(std::string_view text, std::string_view rest) {
    AddressOfRecord record;
    std::string_view hostport = rest;
    // A user part may hold ';' and '?', so '@' is looked for first; it stands nowhere else unescaped.
    if (const auto at = rest.find('@'); at != std::string_view::npos) {
        const std::string_view info = rest.substr(0, at);
        hostport = rest.substr(at + 1);
        auto user = unescaped(info.substr(0, info.find(':')));
        if (!user || user->empty()) {
            return unreadable(text, "the user part is empty or has a bad escape");
        }
        if (hostport.find('@') != std::string_view::npos) {
            return unreadable(text, "more than one '@'");
        }
        record.user = std::move(*user);
    }
    hostport = hostport.substr(0, hostport.find_first_of(";?"));
    auto host = host_of(hostport);
    if (!host) {
        return unreadable(text, fmt::format("'{}' is not a host", hostport));
    }
    record.host = std::move(*host);
    return record;
}

struct Dialled {
    std::string number;
    bool any_digit = false;
    bool whole = true; // nothing else stands behind it
};

Dialled dialled_of(std::string_view text) {
    Dialled found;
    for (const char c : text) {
        if (std::string_view("-.() ").find(c) != std::string_view::npos) {
            continue;
        }
        const bool plus = c == '+' && found.number.empty();
        if (!plus && !is_digit(c) && c != '*' && c != '#') {
            found.whole = false;
            break;
        }
        found.any_digit = found.any_digit || is_digit(c);
        found.number += c;
    }
    return found;
}

} // namespace

std::string to_lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return lower;
}

std::optional<std::string> plain_number(std::string_view text) {
    auto found = dialled_of(text);
    return found.whole && found.any_digit ? std::optional(std::move(found.number)) : std::nullopt;
}

Result<AddressOfRecord> AddressOfRecord::parse(std::string_view text) {
    if (text.size() > max_uri_length) {
        return unreadable(text, fmt::format("{} octets, at most {}", text.size(), max_uri_length));
    }
    const auto forbidden = [](char c) {
        const auto octet = static_cast<unsigned char>(c);
        return octet <= 0x20 || octet == 0x7f || c == '<' || c == '>' || c == '"';
    };
    if (std::ranges::any_of(text, forbidden)) {
        return unreadable(text, "a space, bracket, quote or control character in it");
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return unreadable(text, "no scheme");
    }
    const std::string scheme = to_lower(text.substr(0, colon));
    const std::string_view rest = text.substr(colon + 1);
    if (scheme == "tel") {
        return parse_tel(text, rest);
    }
    if (scheme == "sip" || scheme == "sips") {
        return parse_sip(text, rest);
    }
    return unreadable(text, fmt::format("scheme '{}' is none of sip, sips, tel", scheme));
}

std::string AddressOfRecord::to_string() const {
    if (tel) {
        return "tel:" + user + (host.empty() ? "" : ";phone-context=" + host);
    }
    const bool bracket = host.find(':') != std::string::npos;
    return fmt::format("sip:{}{}{}{}{}", escaped(user), user.empty() ? "" : "@", bracket ? "[" : "", host,
                       bracket ? "]" : "");
}

std::optional<std::string> AddressOfRecord::number() const {
    return tel ? std::optional(user) : plain_number(std::string_view(user).substr(0, user.find(';')));
}

std::string AddressOfRecord::dialled() const {
    auto found = dialled_of(user);
    return found.any_digit ? std::move(found.number) : std::string();
}

Result<> check_target(std::string_view uri) {
    const std::string attempt = fmt::format("read forward target '{}'", uri.substr(0, 80));
    const auto record = AddressOfRecord::parse(uri);
    if (!record) {
        return invalid(attempt, record.error().cause, "write sip:bob@example.org");
    }
    if (record->tel) {
        return invalid(attempt, "a tel: URI cannot stand in a request that is sent on",
                       "write sip:+49301234@gateway.example.org");
    }
    const auto printable = [](char c) { return static_cast<unsigned char>(c) < 0x7f; };
    if (!std::ranges::all_of(uri, printable)) {
        return invalid(attempt, "a character beyond ASCII in it", "escape it as %XX (RFC 3261 25.1)");
    }
    return {};
}

} // namespace stem::sm
