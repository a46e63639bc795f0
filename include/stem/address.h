// SPDX-License-Identifier: Apache-2.0
// IP addresses, networks and endpoints. IPv4 is kept as IPv4-mapped IPv6, as in the kernel's maps.
#pragma once

#include <stem/abi/address.h>
#include <stem/error.h>

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace stem {

class Address {
  public:
    Address() = default; // ::
    explicit Address(const stem_addr& raw) noexcept;
    // `network_order`: the four octets as they stand in a header.
    static Address v4(std::array<std::uint8_t, 4> octets) noexcept;
    static Address v6(std::array<std::uint8_t, 16> octets) noexcept;
    // "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; nothing else: no names, no zone ids.
    static Result<Address> parse(std::string_view text);

    [[nodiscard]] bool is_v4() const noexcept;
    [[nodiscard]] bool is_unspecified() const noexcept; // 0.0.0.0 or ::
    [[nodiscard]] bool is_loopback() const noexcept;    // 127.0.0.0/8, ::1
    [[nodiscard]] bool is_multicast() const noexcept;   // 224.0.0.0/4, ff00::/8
    [[nodiscard]] bool is_link_local() const noexcept;  // 169.254.0.0/16, fe80::/10
    [[nodiscard]] bool is_broadcast() const noexcept;   // 255.255.255.255
    [[nodiscard]] stem_addr raw() const noexcept;
    [[nodiscard]] const std::array<std::uint8_t, 16>& octets() const noexcept { return octets_; }
    // The four octets of an IPv4 address; meaningless for IPv6.
    [[nodiscard]] std::array<std::uint8_t, 4> v4_octets() const noexcept;
    [[nodiscard]] std::string to_string() const; // IPv6 without brackets

    auto operator<=>(const Address&) const = default;

  private:
    std::array<std::uint8_t, 16> octets_{};
};

// A network: "192.0.2.0/24", "2001:db8::/32", or a bare address (a host). Bits below the prefix must be zero.
class Cidr {
  public:
    Cidr() = default;
    static Result<Cidr> parse(std::string_view text);
    static Cidr host(const Address& address) noexcept;

    [[nodiscard]] const Address& network() const noexcept { return network_; }
    // Bits in the mapped form: an IPv4 /24 is 120. What the kernel's tries want.
    [[nodiscard]] unsigned mapped_length() const noexcept { return length_; }
    [[nodiscard]] bool is_host() const noexcept { return length_ == 128; }
    [[nodiscard]] bool contains(const Address& address) const noexcept;
    [[nodiscard]] std::string to_string() const; // a host without its length

    auto operator<=>(const Cidr&) const = default;

  private:
    Address network_;
    unsigned length_ = 128;
};

// Address and port.
struct Endpoint {
    Address address;
    std::uint16_t port = 0; // host byte order

    [[nodiscard]] std::string to_string() const; // "192.0.2.1:5060", "[2001:db8::1]:5060"
    auto operator<=>(const Endpoint&) const = default;
};

} // namespace stem

template<>
struct std::hash<stem::Address> {
    std::size_t operator()(const stem::Address& address) const noexcept {
        return std::hash<std::string_view>{}(
            {reinterpret_cast<const char*>(address.octets().data()), address.octets().size()});
    }
};

template<>
struct std::hash<stem::Endpoint> {
    std::size_t operator()(const stem::Endpoint& endpoint) const noexcept {
        return std::hash<stem::Address>{}(endpoint.address) * 31 + endpoint.port;
    }
};
