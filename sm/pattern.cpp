// SPDX-License-Identifier: Apache-2.0
#include "sm/pattern.h"

#include "sm/failure.h"

#include <fmt/format.h>
#include <re2/re2.h>

namespace stem::sm {
namespace {

constexpr std::string_view regex_prefix = "regex:";
constexpr std::size_t longest_regex = 256;       // octets
constexpr int longest_program = 2000;            // RE2's instructions
constexpr std::int64_t regex_memory = 512 << 10; // octets, of program and automata

std::unexpected<Error> bad_pattern(std::string_view text, std::string cause) {
    return invalid(
        fmt::format("read caller pattern '{}'", text.substr(0, 80)), std::move(cause),
        "write *, anonymous, sip:bob@example.org, *@example.org, tel:+49301234, +49* or regex:EXPRESSION");
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view{}
                                           : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

} // namespace

Caller::Caller(std::string_view from) {
    const auto record = AddressOfRecord::parse(from);
    if (!record) {
        return;
    }
    address = record->to_string();
    host = record->tel ? "" : record->host;
    number = record->number().value_or("");
    anonymous = host == "anonymous.invalid" || (!record->tel && to_lower(record->user) == "anonymous");
}

// RE2 runs in linear time. What is bounded here is what an expression costs to hold and to begin.
Result<Pattern> Pattern::parse_regex(std::string_view text, std::string_view expression) {
    if (expression.empty() || expression.size() > longest_regex) {
        return bad_pattern(text, fmt::format("the expression has {} octets, and may have 1 to {}",
                                             expression.size(), longest_regex));
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(regex_memory);
    auto regex =
        std::make_shared<const re2::RE2>(re2::StringPiece(expression.data(), expression.size()), options);
    if (!regex->ok()) {
        return bad_pattern(text, fmt::format("the expression is not one of RE2's: {}", regex->error()));
    }
    if (regex->ProgramSize() > longest_program) {
        return bad_pattern(text, fmt::format("the expression makes a program of {} steps, and may make {}",
                                             regex->ProgramSize(), longest_program));
    }
    Pattern pattern(Kind::regex, std::string(expression));
    pattern.regex_ = std::move(regex);
    return pattern;
}

Result<Pattern> Pattern::parse(std::string_view text) {
    const std::string_view word = trimmed(text);
    if (word.empty()) {
        return bad_pattern(text, "it is empty");
    }
    if (word == "*") {
        return Pattern();
    }
    if (to_lower(word) == "anonymous") {
        return Pattern(Kind::anonymous, {});
    }
    if (word.starts_with("*@")) {
        // Read as a URI's host, so that names and addresses are spelled as callers' are.
        const auto domain = AddressOfRecord::parse(fmt::format("sip:any@{}", word.substr(2)));
        if (!domain || word.find_first_of(";?") != std::string_view::npos) {
            return bad_pattern(text, fmt::format("'{}' is not a domain", word.substr(2)));
        }
        return Pattern(Kind::domain, domain->host);
    }
    if (word.starts_with(regex_prefix)) {
        return parse_regex(text, word.substr(regex_prefix.size()));
    }
    if (word.find(':') != std::string_view::npos) {
        const auto record = AddressOfRecord::parse(word);
        if (!record) {
            return bad_pattern(text, record.error().cause);
        }
        if (record->user.empty()) {
            return bad_pattern(text, "no user part");
        }
        if (!record->tel && record->user.find('*') != std::string::npos) {
            return bad_pattern(text, "'*' stands only alone, before '@' or at the end of a number");
        }
        if (record->tel && record->host.empty()) {
            return Pattern(Kind::number, record->user);
        }
        return Pattern(Kind::address, record->to_string());
    }
    const bool prefix = word.ends_with('*');
    const auto number = plain_number(prefix ? word.substr(0, word.size() - 1) : word);
    if (!number || number->find('*') != std::string::npos) {
        return bad_pattern(text, "neither a URI nor a number");
    }
    return Pattern(prefix ? Kind::prefix : Kind::number, *number);
}

bool Pattern::matches(const Caller& caller) const {
    switch (kind_) {
    case Kind::any:
        return true;
    case Kind::anonymous:
        return caller.anonymous;
    case Kind::address:
        return caller.address == value_;
    case Kind::domain:
        return caller.host == value_;
    case Kind::number:
        return caller.number == value_;
    case Kind::prefix:
        return caller.number.starts_with(value_);
    case Kind::regex:
        return !caller.address.empty() && re2::RE2::FullMatch(caller.address, *regex_);
    }
    return false;
}

std::string Pattern::to_string() const {
    switch (kind_) {
    case Kind::any:
        return "*";
    case Kind::anonymous:
        return "anonymous";
    case Kind::domain:
        // IPv6 in brackets, as in a URI.
        return value_.find(':') == std::string::npos ? "*@" + value_ : "*@[" + value_ + "]";
    case Kind::prefix:
        return value_ + "*";
    case Kind::regex:
        return std::string(regex_prefix) + value_;
    case Kind::address:
    case Kind::number:
        break;
    }
    return value_;
}

} // namespace stem::sm
