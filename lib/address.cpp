// SPDX-License-Identifier: Apache-2.0
#include <stem/address.h>

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace stem {
namespace {

constexpr std::array<std::uint8_t, 12> v4_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool bit_is_set(const std::array<std::uint8_t, 16>& octets, unsigned bit) {
    return (octets[bit / 8] & (0x80U >> (bit % 8))) != 0;
}

} // namespace

Address::Address(const stem_addr& raw) noexcept {
    std::copy_n(raw.octet, 16, octets_.begin());
}

Address Address::v4(std::array<std::uint8_t, 4> octets) noexcept {
    Address address;
    std::ranges::copy(v4_prefix, address.octets_.begin());
    std::ranges::copy(octets, address.octets_.begin() + 12);
    return address;
}

Address Address::v6(std::array<std::uint8_t, 16> octets) noexcept {
    Address address;
    address.octets_ = octets;
    return address;
}

Result<Address> Address::parse(std::string_view text) {
    std::string_view bare = text;
    const bool bracketed = bare.size() >= 2 && bare.front() == '[' && bare.back() == ']';
    if (bracketed) {
        bare = bare.substr(1, bare.size() - 2);
    }
    const std::string terminated(bare);
    const bool whole = bare.find('\0') == std::string_view::npos; // inet_pton() would stop there
    std::array<std::uint8_t, 4> octets4{};
    if (whole && !bracketed && inet_pton(AF_INET, terminated.c_str(), octets4.data()) == 1) {
        return v4(octets4);
    }
    std::array<std::uint8_t, 16> octets6{};
    if (whole && inet_pton(AF_INET6, terminated.c_str(), octets6.data()) == 1) {
        return v6(octets6);
    }
    return fail("read address '" + std::string(text) + "'", "neither IPv4 nor IPv6",
                "write 192.0.2.1 or 2001:db8::1");
}

bool Address::is_v4() const noexcept {
    return std::equal(v4_prefix.begin(), v4_prefix.end(), octets_.begin());
}

bool Address::is_unspecified() const noexcept {
    const auto first = octets_.begin() + (is_v4() ? 12 : 0);
    return std::all_of(first, octets_.end(), [](std::uint8_t octet) { return octet == 0; });
}

bool Address::is_loopback() const noexcept {
    if (is_v4()) {
        return octets_[12] == 127;
    }
    return octets_[15] == 1 &&
           std::all_of(octets_.begin(), octets_.begin() + 15, [](std::uint8_t octet) { return octet == 0; });
}

bool Address::is_multicast() const noexcept {
    return is_v4() ? (octets_[12] & 0xf0U) == 0xe0 : octets_[0] == 0xff;
}

bool Address::is_link_local() const noexcept {
    return is_v4() ? octets_[12] == 169 && octets_[13] == 254
                   : octets_[0] == 0xfe && (octets_[1] & 0xc0U) == 0x80;
}

bool Address::is_broadcast() const noexcept {
    return is_v4() &&
           std::all_of(octets_.begin() + 12, octets_.end(), [](std::uint8_t octet) { return octet == 0xff; });
}

stem_addr Address::raw() const noexcept {
    stem_addr raw{};
    std::ranges::copy(octets_, raw.octet);
    return raw;
}

std::array<std::uint8_t, 4> Address::v4_octets() const noexcept {
    return {octets_[12], octets_[13], octets_[14], octets_[15]};
}

std::string Address::to_string() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (is_v4()) {
        inet_ntop(AF_INET, octets_.data() + 12, text.data(), text.size());
    } else {
        inet_ntop(AF_INET6, octets_.data(), text.data(), text.size());
    }
    return text.data();
}

Result<Cidr> Cidr::parse(std::string_view text) {
    const auto slash = text.find('/');
    auto address = Address::parse(text.substr(0, slash));
    if (!address) {
        return std::unexpected(address.error());
    }
    const std::string attempt = "read network '" + std::string(text) + "'";
    const unsigned base = address->is_v4() ? STEM_V4_PREFIX_BASE : 0;
    Cidr cidr = host(*address);
    if (slash == std::string_view::npos) {
        return cidr;
    }
    const auto digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (digits.empty() || status != std::errc{} || end != digits.data() + digits.size() ||
        length > 128 - base) {
        return fail(attempt, "prefix length is not a number from 0 to " + std::to_string(128 - base));
    }
    cidr.length_ = base + length;
    for (unsigned bit = cidr.length_; bit < 128; bit++) {
        if (bit_is_set(address->octets(), bit)) {
            return fail(attempt, "bits are set beyond the prefix",
                        "write the network's first address, or leave the length away for a host");
        }
    }
    return cidr;
}

Cidr Cidr::host(const Address& address) noexcept {
    Cidr cidr;
    cidr.network_ = address;
    cidr.length_ = 128;
    return cidr;
}

bool Cidr::contains(const Address& address) const noexcept {
    for (unsigned bit = 0; bit < length_; bit++) {
        if (bit_is_set(network_.octets(), bit) != bit_is_set(address.octets(), bit)) {
            return false;
        }
    }
    return true;
}

std::string Cidr::to_string() const {
    if (is_host()) {
        return network_.to_string();
    }
    const unsigned base = network_.is_v4() ? STEM_V4_PREFIX_BASE : 0;
    return network_.to_string() + "/" + std::to_string(length_ - base);
}

std::string Endpoint::to_string() const {
    return address.is_v4() ? address.to_string() + ":" + std::to_string(port)
                           : "[" + address.to_string() + "]:" + std::to_string(port);
}

} // namespace stem
