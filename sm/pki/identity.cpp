// SPDX-License-Identifier: Apache-2.0
#include "sm/pki/identity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stem::pki {
namespace {

constexpr std::string_view prefix = "urn:stem:";
constexpr std::size_t longest_name = 64;

constexpr auto roles = std::to_array<std::pair<Role, std::string_view>>({
#define STEM_ROLE(name, label, help) {Role::name, label},
    STEM_ROLES(STEM_ROLE)
#undef STEM_ROLE
});

} // namespace

std::string_view label_of(Role role) {
    return roles[static_cast<std::size_t>(role)].second;
}

std::optional<Role> role_from(std::string_view label) {
    const auto* found = std::ranges::find(roles, label, &std::pair<Role, std::string_view>::second);
    return found == roles.end() ? std::nullopt : std::optional(found->first);
}

std::string role_labels() {
    std::string all;
    for (const auto& [role, label] : roles) {
        all += fmt::format("{}{}", all.empty() ? "" : ", ", label);
    }
    return all;
}

std::string Identity::uri() const {
    return fmt::format("{}{}:{}", prefix, label_of(role), name);
}

std::string Identity::text() const {
    return fmt::format("{} {}", label_of(role), name);
}

Result<> check_identity_name(std::string_view name) {
    const bool plain = std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '+' || c == '-';
    });
    if (plain && !name.empty() && name.size() <= longest_name && name.front() != '.') {
        return {};
    }
    return fail(fmt::format("read name '{}'", name.substr(0, 80)), "not a name for a certificate",
                "write 1 to 64 letters, digits, '.', '_', '+' and '-', no '.' first");
}

std::optional<Identity> identity_from_uri(std::string_view uri) {
    if (!uri.starts_with(prefix)) {
        return std::nullopt;
    }
    uri.remove_prefix(prefix.size());
    const auto colon = uri.find(':');
    const auto role = role_from(uri.substr(0, colon));
    if (!role || colon == std::string_view::npos || !check_identity_name(uri.substr(colon + 1))) {
        return std::nullopt;
    }
    return Identity{*role, std::string(uri.substr(colon + 1))};
}

} // namespace stem::pki
