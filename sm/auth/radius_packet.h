// SPDX-License-Identifier: Apache-2.0
// RADIUS packets: Access-Request and what answers it (RFC 2865), always with Message-Authenticator (RFC 3579
// 3.2), which is first and without which an answer could be forged (CVE-2024-3596). Pure.
#pragma once

#include "sm/auth/digest.h"

#include <stem/error.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stem::auth::radius {

inline constexpr std::size_t longest_value = 253; // octets of an attribute's value (RFC 2865 5)
using Authenticator = std::array<std::uint8_t, 16>;

struct Attribute {
    std::uint8_t type = 0;
    std::string value; // at most longest_value octets
};

// How the parts of a digest are written.
enum class DigestForm : std::uint8_t {
    rfc5090, // an attribute each, 103 to 115
    sterman, // 206, and 207 with a part each: draft-sterman-aaa-sip, as FreeRADIUS reads it by itself
};

// Fails where a value is longer than an attribute holds.
Result<std::vector<Attribute>> digest_attributes(const Authorization& given, std::string_view method,
                                                 DigestForm form);
// User-Name and User-Password; 128 octets at most (RFC 2865 5.2).
Result<std::vector<Attribute>> password_attributes(std::string_view username, std::string_view password,
                                                   std::string_view secret,
                                                   const Authenticator& authenticator);

// The whole packet, NAS-Identifier "stem" and Message-Authenticator with it.
std::string make_access_request(std::uint8_t id, const Authenticator& authenticator,
                                const std::vector<Attribute>& attributes, std::string_view secret);

enum class Code : std::uint8_t { accept = 2, reject = 3, challenge = 11 };
// Judges an answer to the request of that authenticator. Fails where it is broken, or not by who has the
// secret; `must_be_signed`: too where it has no Message-Authenticator.
Result<Code> read_answer(std::string_view packet, std::uint8_t id, const Authenticator& authenticator,
                         std::string_view secret, bool must_be_signed);

} // namespace stem::auth::radius
