// SPDX-License-Identifier: Apache-2.0
// URIs of SIP (RFC 3261 19.1, 25.1), telephone numbers (RFC 3966), and the form of any other (RFC 3986).
#include "ctl/sip/grammar.h"
#include "ctl/sip/message.h"

#include <algorithm>

namespace stem::sip {
namespace {

constexpr auto npos = std::string_view::npos;

// scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )
bool is_scheme(std::string_view text) {
    const auto fits = [](char octet) {
        return is_digit(octet) || (lower(octet) >= 'a' && lower(octet) <= 'z') || octet == '+' ||
               octet == '-' || octet == '.';
    };
    return !text.empty() && !is_digit(text.front()) && is_of(text.front(), class_host) &&
           std::ranges::all_of(text, fits) && text.front() != '-' && text.front() != '.';
}

// Host with its port. An IPv6 reference is checked for its octets only: "[2001:db8:::192.0.2.1]" comes out of
// RFC 3261's own grammar and is to be borne (RFC 5118 4.10).
bool read_host(std::string_view text, Uri& uri) {
    std::string_view host;
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == npos) {
            return false;
        }
        host = text.substr(1, end - 1);
        const auto fits = [](char octet) { return is_of(octet, class_hex) || octet == ':' || octet == '.'; };
        if (host.find(':') == npos || !std::ranges::all_of(host, fits)) {
            return false;
        }
        port = text.substr(end + 1);
    } else {
        const std::size_t end = std::min(text.find(':'), text.size());
        host = text.substr(0, end);
        if (!all_of_class(host, class_host)) {
            return false;
        }
        port = text.substr(end);
    }
    uri.host = lowered(host);
    if (port.empty()) {
        return true;
    }
    const auto number = number_up_to(port.substr(1), 65535);
    if (port.front() != ':' || !number || *number == 0 || *number > 65535) {
        return false;
    }
    uri.port = static_cast<std::uint16_t>(*number);
    return true;
}

// userinfo "@" hostport parameters headers. A second "@" has no place in the grammar, and whoever takes it
// for part of the user part meets another host than whoever does not: refused.
bool read_sip(std::string_view rest, Uri& uri) {
    const std::size_t at = rest.find('@');
    if (at != npos) {
        if (at == 0 || rest.find('@', at + 1) != npos) {
            return false;
        }
        const std::string_view user = rest.substr(0, at);
        uri.user = user.substr(0, user.find(':')); // the password is no part of who is meant
        if (uri.user.empty()) {
            return false;
        }
        rest.remove_prefix(at + 1);
    }
    return read_host(rest.substr(0, rest.find_first_of(";?")), uri);
}

int hex_value(char digit) {
    return is_digit(digit) ? digit - '0' : lower(digit) - 'a' + 10;
}

// RFC 3261 19.1.4: an octet and its escape are the same, but where the octet is reserved. Without this,
// "%62ob" would pass a list that names "bob".
std::string normalised_user(std::string_view user) {
    constexpr std::string_view bare = "-_.!~*'()&=+$,";
    std::string result;
    result.reserve(user.size());
    for (std::size_t at = 0; at < user.size(); ++at) {
        if (user[at] != '%' || at + 2 >= user.size() || !is_of(user[at + 1], class_hex) ||
            !is_of(user[at + 2], class_hex)) {
            result += user[at];
            continue;
        }
        const auto octet = static_cast<char>(hex_value(user[at + 1]) * 16 + hex_value(user[at + 2]));
        const bool letter = lower(octet) >= 'a' && lower(octet) <= 'z';
        if (letter || is_digit(octet) || bare.find(octet) != npos) {
            result += octet;
        } else {
            constexpr std::string_view digits = "0123456789ABCDEF";
            result += '%';
            result += digits[static_cast<std::size_t>(hex_value(user[at + 1]))];
            result += digits[static_cast<std::size_t>(hex_value(user[at + 2]))];
        }
        at += 2;
    }
    return result;
}

// RFC 3966 5: visual separators do not count; a number that is not global means nothing without its context.
std::string telephone(const Uri& uri) {
    std::string result = "tel:";
    std::ranges::copy_if(uri.user, std::back_inserter(result),
                         [](char octet) { return std::string_view("-.()").find(octet) == npos; });
    if (uri.user.starts_with('+')) {
        return result;
    }
    constexpr std::string_view name = ";phone-context=";
    const std::string text = lowered(uri.text);
    const std::size_t context = text.find(name);
    if (context != npos) {
        const std::size_t end = text.find(';', context + 1);
        result += text.substr(context, end == std::string::npos ? end : end - context);
    }
    return result;
}

} // namespace

std::string quoted(std::string_view text) {
    constexpr std::size_t most = 48;
    std::string result = "'";
    for (const char octet : text.substr(0, most)) {
        result += octet >= ' ' && octet <= '~' ? octet : '?';
    }
    result += text.size() > most ? "...'" : "'";
    return result;
}

std::optional<Uri> parse_uri(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == npos || !is_scheme(text.substr(0, colon))) {
        return std::nullopt;
    }
    const auto misplaced = [](char octet) {
        return octet == ' ' || octet == '\t' || octet == '<' || octet == '>' || octet == '"' ||
               is_of(octet, class_control);
    };
    if (std::ranges::any_of(text, misplaced)) {
        return std::nullopt;
    }
    Uri uri;
    uri.text = text;
    uri.scheme = lowered(text.substr(0, colon));
    const std::string_view rest = text.substr(colon + 1);
    if (rest.empty()) {
        return std::nullopt;
    }
    if (uri.scheme == "sip" || uri.scheme == "sips") {
        if (!read_sip(rest, uri)) {
            return std::nullopt;
        }
    } else if (uri.scheme == "tel") {
        uri.user = rest.substr(0, rest.find_first_of(";?"));
        if (uri.user.empty()) {
            return std::nullopt;
        }
    }
    return uri;
}

std::string Uri::address_of_record() const {
    if (scheme == "tel") {
        return telephone(*this);
    }
    if (scheme != "sip" && scheme != "sips") {
        return text;
    }
    std::string result = "sip:";
    if (!user.empty()) {
        result += normalised_user(user);
        result += '@';
    }
    const bool reference = host.find(':') != std::string::npos;
    result += reference ? "[" + host + "]" : host;
    if (port != 0 && port != (scheme == "sips" ? 5061 : 5060)) {
        result += ':';
        result += std::to_string(port);
    }
    return result;
}

} // namespace stem::sip
