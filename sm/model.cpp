// SPDX-License-Identifier: Apache-2.0
#include "sm/model.h"

#include "sm/auth/digest.h"
#include "sm/failure.h"

#include <stem/utf8.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stem::sm {
namespace {

constexpr std::array<std::string_view, 4> action_names = {"accept", "forward", "reject", "drop"};
constexpr std::size_t max_prefix = 32;        // digits
constexpr std::int64_t max_level = 1'000'000; // calls, or seconds

constexpr std::array<std::string_view, 2> origin_names = {"learned", "set"};

template<typename Enum, std::size_t N>
std::optional<Enum> value_from(const std::array<std::string_view, N>& names, std::string_view name) {
    const auto at = std::ranges::find(names, name);
    return at == names.end() ? std::nullopt : std::optional(static_cast<Enum>(at - names.begin()));
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

Result<> check_max_calls(std::int64_t max_calls) {
    if (max_calls < 0 || max_calls > max_max_calls) {
        return invalid("read max_calls", fmt::format("{} is not in 0..{}", max_calls, max_max_calls),
                       "0: there may be any number");
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

Result<> Credentials::check() const {
    const std::string attempt = "read credentials";
    constexpr std::size_t longest_username = 128;
    const bool plain = std::ranges::all_of(
        username, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != ':'; });
    if (username.empty() || username.size() > longest_username || !plain) {
        return invalid(attempt, "not a user name for a digest",
                       "use 1 to 128 printable ASCII characters without space, quote, backslash and colon");
    }
    if (!auth::is_realm(realm)) {
        return invalid(attempt, "not a realm",
                       "use 1 to 64 printable ASCII characters without quote and backslash");
    }
    const bool lower = md5.find_first_of("ABCDEF") == std::string::npos &&
                       sha256.find_first_of("ABCDEF") == std::string::npos;
    if ((!md5.empty() && !auth::is_ha1(auth::Algorithm::md5, md5)) ||
        (!sha256.empty() && !auth::is_ha1(auth::Algorithm::sha256, sha256)) || !lower) {
        return invalid(attempt, "a hash is not of its algorithm's form",
                       "md5 has 32 hexadecimal digits in lower case, sha256 64");
    }
    if (md5.empty() && sha256.empty()) {
        return invalid(attempt, "no hash", "give md5, sha256, or both");
    }
    return {};
}

std::string Rule::to_string() const {
    const std::string_view presence = !registered ? "" : *registered ? ", registered" : ", not registered";
    return fmt::format("caller {}{}{}{} -> {}", caller.to_string(), when ? ", " : "",
                       when ? when->to_string() : "", presence, then.to_string());
}

Result<> Limit::check() const {
    if (auto good = check_name("limit", name); !good) {
        return good;
    }
    const std::string attempt = "read limit " + name;
    if (!user.empty()) {
        if (auto good = check_name("user", user); !good) {
            return good;
        }
    }
    if (!prefix.empty() && prefix != "+" && (plain_number(prefix) != prefix || prefix.size() > max_prefix)) {
        return invalid(attempt,
                       fmt::format("prefix '{}' is not the beginning of a number", prefix.substr(0, 80)),
                       "write digits, as +881 or 0900");
    }
    for (const Levels* levels : {&calls_per_minute, &concurrent, &duration, &sequential}) {
        for (const auto& level : {levels->warning, levels->critical}) {
            if (level && (*level < 0 || *level > max_level)) {
                return invalid(attempt, fmt::format("level {} is not in 0..{}", *level, max_level));
            }
        }
        if (levels->warning && levels->critical && *levels->warning > *levels->critical) {
            return invalid(attempt, fmt::format("its warning {} is above its critical {}", *levels->warning,
                                                *levels->critical));
        }
    }
    if (duration.critical == 0) {
        return invalid(attempt, "a duration of 0 s lets nobody speak", "to forbid calls: calls_per_minute 0");
    }
    if (!calls_per_minute.any() && !concurrent.any() && !duration.any() && !sequential.any()) {
        return invalid(attempt, "it limits nothing", "give it a level");
    }
    if (status < 400 || status > 699) {
        return invalid(attempt, fmt::format("status {} is not in 400..699", status),
                       "take one, as 403 or 486");
    }
    if (block_seconds < 0 || block_seconds > max_deny_seconds) {
        return invalid(attempt,
                       fmt::format("block_seconds {} is not in 0..{}", block_seconds, max_deny_seconds));
    }
    return {};
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
        const std::size_t length = utf8_sequence_length(rest);
        const auto first = static_cast<unsigned char>(rest.front());
        if (length == 0 || first < 0x20 || first == 0x7f) {
            return invalid(attempt, "not UTF-8, or a control character in it", "write plain text");
        }
        rest.remove_prefix(length);
    }
    return {};
}

} // namespace stem::sm
