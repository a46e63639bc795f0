// SPDX-License-Identifier: Apache-2.0
// HTTP digest authentication as SIP uses it (RFC 7616, RFC 8760, RFC 3261 22.4): what a phone sends, what it
// is to be, and what it is asked with. Pure; quality of protection "auth" alone.
#pragma once

#include <stem/error.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stem::auth {

enum class Algorithm : std::uint8_t { sha256, md5 };

std::string_view name_of(Algorithm algorithm);                  // "SHA-256", "MD5": as the headers spell it
std::optional<Algorithm> algorithm_from(std::string_view name); // without regard to case

// Lower-case hexadecimal.
std::string hex_digest(Algorithm algorithm, std::string_view text);
// RFC 7616 3.4.2: of user name, realm and password. As secret as the password.
std::string make_ha1(Algorithm algorithm, std::string_view username, std::string_view realm,
                     std::string_view password);
// Is it one, of that algorithm: hexadecimal of the right length?
bool is_ha1(Algorithm algorithm, std::string_view text);

// In a time that does not tell where they differ.
bool same_secret(std::string_view left, std::string_view right);

// What a Proxy-Authorization header says (RFC 7616 3.4).
struct Authorization {
    std::string username;
    std::string realm;
    std::string nonce;
    std::string uri;
    std::string response;
    std::string cnonce;
    std::string qop;
    std::string nc;                       // eight hexadecimal digits, as it stood
    std::uint32_t count = 0;              // what they say
    Algorithm algorithm = Algorithm::md5; // where it names none (RFC 7616 3.4)
};

// Reads one value. Fails on another scheme, on a parameter that stands twice, is missing or broken, on an
// unknown algorithm, and on a quality of protection other than "auth". The error holds nothing of the value.
Result<Authorization> read_authorization(std::string_view value);
// The realm that a value is for, even if the rest of it is broken; "" = none, or not of the scheme Digest.
std::string realm_of(std::string_view value);

// Has whoever wrote these the password behind `ha1`? Whether nonce, count and URI are good is for others.
bool is_right(const Authorization& given, std::string_view ha1, std::string_view method);
// What `response` must be.
std::string response_for(const Authorization& given, std::string_view ha1, std::string_view method);

// The value of a Proxy-Authenticate header.
std::string make_challenge(Algorithm algorithm, std::string_view realm, std::string_view nonce, bool stale);

// Can it stand between quotes without an escape: printable, neither quote nor backslash, 1 to 64 octets?
bool is_realm(std::string_view text);

} // namespace stem::auth
