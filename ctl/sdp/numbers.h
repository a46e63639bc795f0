// SPDX-License-Identifier: Apache-2.0
// Words, numbers and letters of SDP's lines (RFC 8866 9).
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace stem::sdp {

// 1*DIGIT up to 2^64-1, and nothing else in `text`.
inline std::optional<std::uint64_t> number_in(std::string_view text) noexcept {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

constexpr char lower_letter(char octet) noexcept {
    return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet + ('a' - 'A')) : octet;
}

constexpr char upper_letter(char octet) noexcept {
    return octet >= 'a' && octet <= 'z' ? static_cast<char>(octet - ('a' - 'A')) : octet;
}

constexpr bool same_letters(std::string_view left, std::string_view right) noexcept {
    if (left.size() != right.size()) {
        return false;
    }
    for (std::size_t at = 0; at < left.size(); ++at) {
        if (lower_letter(left[at]) != lower_letter(right[at])) {
            return false;
        }
    }
    return true;
}

template<typename Change>
std::string changed(std::string_view text, Change change) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), change);
    return result;
}

inline std::uint32_t clamped(std::uint64_t value) {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

// Takes the next word, parted by one or more blanks.
inline std::string_view next_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    const std::size_t end = std::min(text.find_first_of(" \t"), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end);
    return word;
}

} // namespace stem::sdp
