// SPDX-License-Identifier: Apache-2.0
// Do two URIs mean the same (RFC 3261 19.1.4)?
#include "ctl/sip/grammar.h"
#include "ctl/sip/message.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace stem::sip {
namespace {

constexpr auto npos = std::string_view::npos;

int hex_value(char digit) {
    return is_digit(digit) ? digit - '0' : lower(digit) - 'a' + 10;
}

// RFC 2396 2.2: an octet of these and its escape are two things.
bool is_reserved(char octet) {
    return std::string_view(";/?:@&=+$,").find(octet) != npos;
}

// Escapes of what is not reserved undone, the others in one spelling.
std::string unescaped(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%' || at + 2 >= text.size() || !is_of(text[at + 1], class_hex) ||
            !is_of(text[at + 2], class_hex)) {
            result += text[at];
            continue;
        }
        const auto octet = static_cast<char>(hex_value(text[at + 1]) * 16 + hex_value(text[at + 2]));
        if (is_reserved(octet) || octet == '%') { // a bare "%" would begin another escape
            result += '%';
            result += lower(text[at + 1]);
            result += lower(text[at + 2]);
        } else {
            result += octet;
        }
        at += 2;
    }
    return result;
}

struct Pair {
    std::string name;
    std::string value;

    auto operator<=>(const Pair&) const = default;
};

// "name=value" parted by `separator`, in order of name; names and values without regard to case and escapes.
std::vector<Pair> pairs_of(std::string_view text, char separator) {
    std::vector<Pair> pairs;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        const std::string_view pair = text.substr(0, end);
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (!pair.empty()) {
            pairs.push_back({.name = lowered(unescaped(pair.substr(0, equals))),
                             .value = lowered(unescaped(pair.substr(std::min(equals + 1, pair.size()))))});
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    std::ranges::sort(pairs);
    return pairs;
}

struct Parts {
    std::string userinfo; // with the password
    bool has_userinfo = false;
    std::string_view parameters;
    std::string_view headers;
};

// `uri` was read by parse_uri(), and is of SIP.
Parts parts_of(const Uri& uri) {
    Parts parts;
    std::string_view rest(uri.text);
    rest.remove_prefix(rest.find(':') + 1);
    if (const std::size_t at = rest.find('@'); at != npos) {
        parts.userinfo = unescaped(rest.substr(0, at));
        parts.has_userinfo = true;
        rest.remove_prefix(at + 1);
    }
    if (const std::size_t question = rest.find('?'); question != npos) {
        parts.headers = rest.substr(question + 1);
        rest = rest.substr(0, question);
    }
    if (const std::size_t semicolon = rest.find(';'); semicolon != npos) {
        parts.parameters = rest.substr(semicolon + 1);
    }
    return parts;
}

// Those that a URI without them does not match. The rules name four, and an example the fifth.
bool counts_alone(std::string_view name) {
    static constexpr auto names =
        std::to_array<std::string_view>({"user", "ttl", "method", "maddr", "transport"});
    return std::ranges::find(names, name) != names.end();
}

bool parameters_match(std::string_view left, std::string_view right) {
    const auto ours = pairs_of(left, ';');
    const auto theirs = pairs_of(right, ';');
    auto a = ours.begin();
    auto b = theirs.begin();
    while (a != ours.end() || b != theirs.end()) {
        if (b == theirs.end() || (a != ours.end() && a->name < b->name)) {
            if (counts_alone((a++)->name)) {
                return false;
            }
        } else if (a == ours.end() || b->name < a->name) {
            if (counts_alone((b++)->name)) {
                return false;
            }
        } else if ((a++)->value != (b++)->value) {
            return false;
        }
    }
    return true;
}

} // namespace

bool are_equivalent(const Uri& left, const Uri& right) {
    if (left.scheme != right.scheme) {
        return false;
    }
    if (left.scheme == "tel") { // RFC 3966 4
        return left.address_of_record() == right.address_of_record();
    }
    if (left.scheme != "sip" && left.scheme != "sips") {
        return left.text == right.text;
    }
    const Parts ours = parts_of(left);
    const Parts theirs = parts_of(right);
    return ours.has_userinfo == theirs.has_userinfo && ours.userinfo == theirs.userinfo &&
           left.host == right.host && left.port == right.port &&
           parameters_match(ours.parameters, theirs.parameters) &&
           pairs_of(ours.headers, '&') == pairs_of(theirs.headers, '&');
}

} // namespace stem::sip
