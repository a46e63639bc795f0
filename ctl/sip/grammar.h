// SPDX-License-Identifier: Apache-2.0
// Character classes and small literals of SIP's grammar (RFC 3261, 25.1). Octets, never locale.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stem::sip {

enum CharacterClass : std::uint8_t {
    class_token = 1U << 0,   // token
    class_word = 1U << 1,    // word, the halves of a Call-ID
    class_control = 1U << 2, // CTL but for HTAB
    class_hex = 1U << 3,
    class_host = 1U << 4, // of a host name, with "_", which the field's machines use
};

consteval std::array<std::uint8_t, 256> make_character_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned octet = 0; octet < 256; ++octet) {
        const bool digit = octet >= '0' && octet <= '9';
        const unsigned lower = octet | 0x20U;
        const bool letter = lower >= 'a' && lower <= 'z' && octet < 0x80;
        if (digit || letter) {
            classes[octet] |= class_token | class_word | class_host;
        }
        if (digit || (letter && lower <= 'f')) {
            classes[octet] |= class_hex;
        }
        if ((octet < 0x20 && octet != '\t') || octet == 0x7f) {
            classes[octet] |= class_control;
        }
    }
    for (const char octet : std::string_view("-.!%*_+`'~")) {
        classes[static_cast<unsigned char>(octet)] |= class_token | class_word;
    }
    for (const char octet : std::string_view("()<>:\\\"/[]?{}")) {
        classes[static_cast<unsigned char>(octet)] |= class_word;
    }
    for (const char octet : std::string_view("-._")) {
        classes[static_cast<unsigned char>(octet)] |= class_host;
    }
    return classes;
}

inline constexpr std::array<std::uint8_t, 256> character_classes = make_character_classes();

constexpr bool is_of(char octet, CharacterClass wanted) noexcept {
    return (character_classes[static_cast<unsigned char>(octet)] & wanted) != 0;
}

constexpr bool all_of_class(std::string_view text, CharacterClass wanted) noexcept {
    for (const char octet : text) {
        if (!is_of(octet, wanted)) {
            return false;
        }
    }
    return !text.empty();
}

constexpr bool is_digit(char octet) noexcept {
    return octet >= '0' && octet <= '9';
}
constexpr bool is_blank(char octet) noexcept {
    return octet == ' ' || octet == '\t';
}
constexpr char lower(char octet) noexcept {
    return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet + ('a' - 'A')) : octet;
}

constexpr bool same_ignoring_case(std::string_view left, std::string_view right) noexcept {
    if (left.size() != right.size()) {
        return false;
    }
    for (std::size_t at = 0; at < left.size(); ++at) {
        if (lower(left[at]) != lower(right[at])) {
            return false;
        }
    }
    return true;
}

constexpr std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

inline std::string lowered(std::string_view text) {
    std::string result(text);
    for (char& octet : result) {
        octet = lower(octet);
    }
    return result;
}

// 1*DIGIT, leading zeros allowed; beyond `most` it is `most` + 1. Nothing where it is not all digits.
constexpr std::optional<std::uint64_t> number_up_to(std::string_view text, std::uint64_t most) noexcept {
    std::uint64_t value = 0;
    for (const char octet : text) {
        if (!is_digit(octet)) {
            return std::nullopt;
        }
        value = value * 10 + static_cast<std::uint64_t>(octet - '0');
        if (value > most) {
            value = most + 1; // stays there: most is at most 2^32
        }
    }
    return text.empty() ? std::nullopt : std::optional(value);
}

// For a log: at most 48 octets, and what is not printable ASCII shown as '?'.
std::string quoted(std::string_view text);

} // namespace stem::sip
