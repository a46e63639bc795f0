// SPDX-License-Identifier: Apache-2.0
// Passwords of administrators: argon2id (RFC 9106), which makes guessing from a stolen store dear. Users'
// passwords cannot be kept so: a digest is verified by HA1, or by the password itself.
#pragma once

#include <stem/error.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace stem::auth {

inline constexpr std::size_t shortest_password = 8; // octets
inline constexpr std::size_t shortest_administrators_password = 12;
inline constexpr std::size_t longest_password = 256;

// Its length, and no control characters. The error does not hold it.
Result<> check_password_form(std::string_view password, std::size_t shortest);

// "$argon2id$v=19$m=19456,t=2,p=1$...": some ten milliseconds, and 19 MiB meanwhile.
Result<std::string> hash_password(std::string_view password);
// As dear; false, too, where `encoded` is none.
bool is_password(std::string_view password, const std::string& encoded);

} // namespace stem::auth
