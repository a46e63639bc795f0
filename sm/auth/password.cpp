// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/password.h"

#include <fmt/format.h>

#include <argon2.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

namespace stem::auth {
namespace {

// OWASP's least for argon2id.
constexpr std::uint32_t passes = 2;
constexpr std::uint32_t kibibytes = 19456;
constexpr std::uint32_t lanes = 1;
constexpr std::size_t salt_octets = 16;
constexpr std::size_t hash_octets = 32;

} // namespace

Result<> check_password_form(std::string_view password, std::size_t shortest) {
    if (password.size() < shortest || password.size() > longest_password) {
        return std::unexpected(Error{"read a password",
                                     fmt::format("not of {} to {} octets", shortest, longest_password),
                                     "choose another", EINVAL});
    }
    const bool control = std::ranges::any_of(
        password, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
    if (control) {
        return std::unexpected(
            Error{"read a password", "a control character in it", "choose another", EINVAL});
    }
    return {};
}

Result<std::string> hash_password(std::string_view password) {
    std::array<unsigned char, salt_octets> salt{};
    if (RAND_bytes(salt.data(), static_cast<int>(salt.size())) != 1) {
        return fail("hash a password", "the system gives no random octets");
    }
    std::string encoded(argon2_encodedlen(passes, kibibytes, lanes, salt_octets, hash_octets, Argon2_id),
                        '\0');
    const int code =
        argon2id_hash_encoded(passes, kibibytes, lanes, password.data(), password.size(), salt.data(),
                              salt.size(), hash_octets, encoded.data(), encoded.size());
    if (code != ARGON2_OK) {
        return fail("hash a password", argon2_error_message(code));
    }
    encoded.resize(encoded.find('\0'));
    return encoded;
}

bool is_password(std::string_view password, const std::string& encoded) {
    return argon2id_verify(encoded.c_str(), password.data(), password.size()) == ARGON2_OK;
}

} // namespace stem::auth
