// SPDX-License-Identifier: Apache-2.0
#include "sm/model.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stem::sm {
namespace {

constexpr std::array<std::string_view, 4> action_names = {"accept", "forward", "reject", "drop"};
constexpr std::array<std::string_view, 2> origin_names = {"learned", "set"};

template<typename Enum, std::size_t N>
std::optional<Enum> value_from(const std::array<std::string_view, N>& names, std::string_view name) {
    const auto at = std::ranges::find(names, name);
    return at == names.end() ? std::nullopt : std::optional(static_cast<Enum>(at - names.begin()));
}

// Length of the UTF-8 sequence that `text` begins with (RFC 3629 4); 0 = not one.
std::size_t sequence_length(std::string_view text) {
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = octet(0);
    if (first < 0x80) {
        return 1;
    }
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((octet(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    const unsigned second = octet(1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second > 0x9f;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

} // namespace

Result<> Treatment::check() const {
    const std::string attempt = fmt::format("read action {}", name_of(action));
    if (action == Action::forward) {
        if (target.empty()) {
            return invalid(attempt, "no target", "name a SIP URI to forward to");
        }
        if (auto good = check_target(target); !good) {
            return good;
        }
    } else if (!target.empty()) {
        return invalid(attempt, fmt::format("target '{}' belongs to forward only", target));
    }
    if (action == Action::reject) {
        if (status < 400 || status > 699) {
            return invalid(attempt, fmt::format("status {} is not in 400..699", status),
                           "take a SIP failure status, as 486 or 603");
        }
    } else if (status != 0) {
        return invalid(attempt, fmt::format("status {} belongs to reject only", status));
    }
    if (deny_seconds != 0 && action != Action::reject && action != Action::drop) {
        return invalid(attempt, fmt::format("deny_seconds {} belongs to reject and drop only", deny_seconds));
    }
    return check_deny_seconds(deny_seconds);
}

Result<> check_deny_seconds(std::int64_t seconds) {
    if (seconds < 0 || seconds > max_deny_seconds) {
        return invalid("read deny_seconds", fmt::format("{} is not in 0..{}", seconds, max_deny_seconds),
                       "take up to a year, in seconds; 0: the source is not denied");
    }
    return {};
}

std::string Treatment::to_string() const {
    switch (action) {
    case Action::forward:
        return "forward to " + target;
    case Action::reject:
    case Action::drop: {
        std::string text = action == Action::drop ? "drop" : fmt::format("reject {}", status);
        return deny_seconds == 0 ? text : fmt::format("{}, deny {} s", text, deny_seconds);
    }
    case Action::accept:
        break;
    }
    return std::string(name_of(action));
}

std::string Rule::to_string() const {
    return fmt::format("caller {}{}{} -> {}", caller.to_string(), when ? ", " : "",
                       when ? when->to_string() : "", then.to_string());
}

std::string_view name_of(Treatment::Action action) {
    return action_names[std::to_underlying(action)];
}

std::optional<Treatment::Action> action_from(std::string_view name) {
    return value_from<Treatment::Action>(action_names, name);
}

std::string_view name_of(Location::Origin origin) {
    return origin_names[std::to_underlying(origin)];
}

std::optional<Location::Origin> origin_from(std::string_view name) {
    return value_from<Location::Origin>(origin_names, name);
}

Result<> check_name(std::string_view kind, std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '+' || c == '-';
    };
    // "." and ".." would be eaten from the path of an HTTP request.
    if (name.empty() || name.size() > 64 || name == "." || name == ".." ||
        !std::ranges::all_of(name, allowed)) {
        return invalid(fmt::format("read {} name '{}'", kind, name.substr(0, 80)), "not a name",
                       "use 1 to 64 letters, digits, '.', '_', '+' or '-'");
    }
    return {};
}

Result<> check_text(std::string_view field, std::string_view text, std::size_t limit) {
    const std::string attempt = fmt::format("read {}", field);
    if (text.size() > limit) {
        return invalid(attempt, fmt::format("{} octets, at most {}", text.size(), limit), "shorten it");
    }
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t length = sequence_length(rest);
        const auto first = static_cast<unsigned char>(rest.front());
        if (length == 0 || first < 0x20 || first == 0x7f) {
            return invalid(attempt, "not UTF-8, or a control character in it", "write plain text");
        }
        rest.remove_prefix(length);
    }
    return {};
}

} // namespace stem::sm
