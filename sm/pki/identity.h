// SPDX-License-Identifier: Apache-2.0
// Who a certificate belongs to: a role, which says what its owner may ask, and a name. Both stand in a URI of
// the subjectAltName, "urn:stem:ROLE:NAME", and nowhere else do we look for them.
#pragma once

#include <stem/error.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stem::pki {

// X(NAME, label, help)
#define STEM_ROLES(X)                                                                                        \
    X(firewall, "firewall", "a stemd: asks for decisions over the control channel")                          \
    X(gateway, "gateway", "a gateway to the telephone network")                                              \
    X(terminal, "terminal", "a phone that speaks HTTPS")                                                     \
    X(admin, "admin", "a person or script that administers users, profiles and thresholds")                  \
    X(server, "server", "a Security Manager itself")

enum class Role : std::uint8_t {
#define STEM_ROLE(name, label, help) name,
    STEM_ROLES(STEM_ROLE)
#undef STEM_ROLE
};

std::string_view label_of(Role role);
std::optional<Role> role_from(std::string_view label);
std::string role_labels(); // "firewall, gateway, ..."

struct Identity {
    Role role = Role::terminal;
    std::string name; // 1..64 of letters, digits, '.', '_', '-'

    [[nodiscard]] std::string uri() const;  // "urn:stem:firewall:fw1"
    [[nodiscard]] std::string text() const; // "firewall fw1"
    bool operator==(const Identity&) const = default;
};

Result<> check_identity_name(std::string_view name);
// nullopt: a URI that is none of ours.
std::optional<Identity> identity_from_uri(std::string_view uri);

} // namespace stem::pki
