// SPDX-License-Identifier: Apache-2.0
#include "ctl/mgcp/message.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace stem::mgcp {
namespace {

constexpr std::uint32_t largest_transaction = 999'999'999;
constexpr std::size_t longest_identifier = 32; // of calls and connections (RFC 3435 2.1.3, 3.2.2)
constexpr std::size_t longest_endpoint = 512;

using Failure = std::optional<std::string>;

constexpr bool is_digit(char octet) {
    return octet >= '0' && octet <= '9';
}
constexpr char lower(char octet) {
    return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet + ('a' - 'A')) : octet;
}

std::string lowered(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), lower);
    return result;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

std::string_view next_word(std::string_view& text) {
    text = trimmed(text);
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

std::optional<std::uint32_t> number(std::string_view text, std::uint32_t most) {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value <= most ? std::optional(value)
                                                                                     : std::nullopt;
}

std::string shown(std::string_view text) {
    std::string result = "'";
    for (const char octet : text.substr(0, 40)) {
        result += octet >= ' ' && octet <= '~' ? octet : '?';
    }
    return result + (text.size() > 40 ? "...'" : "'");
}

bool is_hexadecimal(std::string_view text) {
    return !text.empty() && text.size() <= longest_identifier && std::ranges::all_of(text, [](char octet) {
        return is_digit(octet) || (lower(octet) >= 'a' && lower(octet) <= 'f');
    });
}

Verb verb_named(std::string_view word) {
    const std::string name = lowered(word);
    return name == "crcx"   ? Verb::create
           : name == "mdcx" ? Verb::modify
           : name == "dlcx" ? Verb::erase
           : name == "rsip" ? Verb::restart
                            : Verb::other;
}

bool is_verb(std::string_view word) {
    return word.size() == 4 && std::ranges::all_of(word, [](char octet) {
               return is_digit(octet) || (lower(octet) >= 'a' && lower(octet) <= 'z');
           });
}

bool is_version(std::string_view word) {
    const std::size_t point = word.find('.');
    return point != std::string_view::npos && number(word.substr(0, point), 99) &&
           number(word.substr(point + 1), 99);
}

// <verb> <transaction> <endpoint> MGCP <version> [<profile>]
Failure read_command(std::string_view line, Message& message) {
    std::string_view rest = line;
    const std::string_view verb = next_word(rest);
    const auto transaction = number(next_word(rest), largest_transaction);
    const std::string_view endpoint = next_word(rest);
    const std::string_view protocol = next_word(rest);
    const std::string_view version = next_word(rest);
    if (!is_verb(verb) || !transaction || *transaction == 0 || endpoint.find('@') == std::string_view::npos ||
        endpoint.size() > longest_endpoint || lowered(protocol) != "mgcp" || !is_version(version)) {
        return fmt::format("{}: neither a command nor a response", shown(line));
    }
    message.command = true;
    message.verb = verb_named(verb);
    message.transaction = *transaction;
    message.endpoint = lowered(endpoint);
    return std::nullopt;
}

// <code> <transaction> [/<package>] [<comment>]
Failure read_response(std::string_view line, Message& message) {
    std::string_view rest = line;
    const auto code = number(next_word(rest), 999);
    const auto transaction = number(next_word(rest), largest_transaction);
    if (!code || !transaction || *transaction == 0) {
        return fmt::format("{}: no transaction behind the code", shown(line));
    }
    message.code = static_cast<int>(*code);
    message.transaction = *transaction;
    return std::nullopt;
}

Failure take_identifier(std::string_view name, std::string_view value, std::string& place) {
    if (!is_hexadecimal(value)) {
        return fmt::format("{}: {} is not hexadecimal of at most {} digits", name, shown(value),
                           longest_identifier);
    }
    if (!place.empty() && place != lowered(value)) {
        return fmt::format("two {} lines", name);
    }
    place = lowered(value);
    return std::nullopt;
}

Failure read_parameter(std::string_view line, Message& message) {
    const std::size_t colon = line.find(':');
    const std::string name = lowered(trimmed(line.substr(0, colon)));
    if (colon == std::string_view::npos || name.empty() || name.find_first_of(" \t") != std::string::npos) {
        return fmt::format("{}: no parameter and colon", shown(line));
    }
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name == "c") {
        return take_identifier("C", value, message.call);
    }
    if (name == "i") {
        // An audit asks for all of them by an empty value; a response may list several, of which the first
        // counts.
        return value.empty() || !message.connection.empty() ? std::nullopt
                                                            : take_identifier("I", value, message.connection);
    }
    if (name == "m") {
        message.mode = lowered(value);
    } else if (name == "z") {
        message.specific_endpoint = lowered(value);
    } else if (name == "rm") {
        message.restart_method = lowered(value);
    }
    return std::nullopt;
}

class Reader {
  public:
    Reader(std::string_view datagram, const Limits& limits) : rest_(datagram), limits_(limits) {}

    [[nodiscard]] bool done() const { return rest_.empty(); }
    std::expected<Message, std::string> next();

  private:
    std::expected<std::string_view, std::string> line();
    std::string_view take_description();

    std::string_view rest_;
    const Limits& limits_;
    std::size_t number_ = 0;
};

std::expected<std::string_view, std::string> Reader::line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    if (text.size() > limits_.line) {
        return std::unexpected(fmt::format("line {}: longer than {} octets", number_, limits_.line));
    }
    if (text.find_first_of(std::string_view("\r\0", 2)) != std::string_view::npos) {
        return std::unexpected(fmt::format("line {}: CR without LF, or NUL", number_));
    }
    return text;
}

// Up to the dot that parts it from the next message, or a second description, which is none of the
// connection's.
std::string_view Reader::take_description() {
    const std::string_view all = rest_;
    std::size_t length = 0;
    bool ended = false;
    while (!rest_.empty()) {
        const std::size_t end = std::min(rest_.find('\n'), rest_.size());
        std::string_view text = rest_.substr(0, end);
        if (text.ends_with('\r')) {
            text.remove_suffix(1);
        }
        const std::size_t whole = std::min(end + 1, rest_.size());
        ++number_;
        rest_.remove_prefix(whole);
        if (text == ".") {
            break;
        }
        ended = ended || (text.empty() && length > 0);
        length += ended ? 0 : whole;
    }
    return all.substr(0, length);
}

std::expected<Message, std::string> Reader::next() {
    Message message;
    auto text = line();
    while (text && text->empty() && !done()) {
        text = line(); // ahead of a message they count for nothing
    }
    if (!text) {
        return std::unexpected(text.error());
    }
    const bool response = text->size() >= 3 && std::ranges::all_of(text->substr(0, 3), is_digit);
    if (auto bad = response ? read_response(*text, message) : read_command(*text, message)) {
        return std::unexpected(fmt::format("line {}: {}", number_, *bad));
    }
    for (std::size_t count = 1; !done(); ++count) {
        if (count == limits_.lines) {
            return std::unexpected(fmt::format("line {}: more than {} lines", number_, limits_.lines));
        }
        text = line();
        if (!text) {
            return std::unexpected(text.error());
        }
        if (text->empty()) {
            message.description = take_description();
            break;
        }
        if (*text == ".") {
            break;
        }
        if (auto bad = read_parameter(*text, message)) {
            return std::unexpected(fmt::format("line {}: {}", number_, *bad));
        }
    }
    return message;
}

} // namespace

std::expected<std::vector<Message>, std::string> parse(std::string_view datagram, const Limits& limits) {
    if (datagram.size() > limits.datagram) {
        return std::unexpected(
            fmt::format("datagram of {} octets, cap {}", datagram.size(), limits.datagram));
    }
    std::vector<Message> messages;
    Reader reader(datagram, limits);
    do {
        if (messages.size() == limits.messages) {
            return std::unexpected(fmt::format("more than {} messages", limits.messages));
        }
        auto message = reader.next();
        if (!message) {
            return std::unexpected(std::move(message).error());
        }
        messages.push_back(*std::move(message));
    } while (!reader.done());
    return messages;
}

bool covers(std::string_view pattern, std::string_view endpoint) noexcept {
    const std::size_t at = std::min(pattern.find('@'), pattern.size());
    const std::size_t other = std::min(endpoint.find('@'), endpoint.size());
    if (pattern.substr(at) != endpoint.substr(other)) {
        return false;
    }
    std::string_view terms = pattern.substr(0, at);
    std::string_view name = endpoint.substr(0, other);
    const auto next = [](std::string_view& text) {
        const std::size_t slash = std::min(text.find('/'), text.size());
        const std::string_view term = text.substr(0, slash);
        text.remove_prefix(std::min(slash + 1, text.size()));
        return term;
    };
    while (!terms.empty()) {
        const std::string_view term = next(terms);
        if (term == "*" && terms.empty()) {
            return true; // the last one stands for all that follow
        }
        if (name.empty()) {
            return false;
        }
        if (const std::string_view theirs = next(name); term != "*" && term != "$" && term != theirs) {
            return false;
        }
    }
    return name.empty();
}

} // namespace stem::mgcp
