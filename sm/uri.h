// SPDX-License-Identifier: Apache-2.0
// Addresses of record: as much of a SIP or tel URI as says who is meant (RFC 3261 19.1, RFC 3966).
#pragma once

#include <stem/error.h>

#include <optional>
#include <string>
#include <string_view>

namespace stem::sm {

// The longest URI that is read, in octets.
inline constexpr std::size_t max_uri_length = 512;

struct AddressOfRecord {
    bool tel = false;
    // Escapes resolved, password left away. For tel: the number without visual separators.
    std::string user;
    // Lower case, without port; an IPv6 address in its shortest form and without brackets. For tel: the
    // phone-context of a local number, or "".
    std::string host;

    // Reads "sip:", "sips:" and "tel:" URIs without angle brackets; port, parameters and headers are left
    // away. sips: is taken as sip:, since both name the same person.
    static Result<AddressOfRecord> parse(std::string_view text);

    // The one spelling by which equals are found: "sip:bob@example.org", "sip:bob@[2001:db8::1]",
    // "tel:+49301234".
    [[nodiscard]] std::string to_string() const;

    // The telephone number, if the user part is one: '+' and digits, separators left away. nullopt for names.
    [[nodiscard]] std::optional<std::string> number() const;

    // What a gateway dials of the user part: the digits that it begins with. Many take "w", "p" and "," for a
    // pause: "+88112" of "+8811-2w34@gw" and of "+88112,,1@gw". "" = it begins with none.
    [[nodiscard]] std::string dialled() const;

    bool operator==(const AddressOfRecord&) const = default;
};

// "+49 (30) 12-34" -> "+49301234". nullopt if anything else than digits, '*' and '#' is left after the
// separators
// '-', '.', '(', ')' and ' ' (RFC 3966 5.1.1), or nothing.
std::optional<std::string> plain_number(std::string_view text);

std::string to_lower(std::string_view text); // ASCII only

// Checks a request URI that a call may be sent to: sip or sips, no character that could end a request line.
Result<> check_target(std::string_view uri);

} // namespace stem::sm
