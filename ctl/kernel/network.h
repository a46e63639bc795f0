// SPDX-License-Identifier: Apache-2.0
// Networks as the kernel's maps hold them: one form for both families, so some care between them.
#pragma once

#include <stem/address.h>

#include <array>
#include <cstdint>

namespace stem::kernel {

// From the mapped form: an IPv4 /24 has 120 bits. Bits beyond the length are cleared.
Cidr network_of(const Address& address, unsigned mapped_length);

// The mask of a network: its first mapped_length() bits, in network byte order.
std::array<std::uint8_t, 16> mask_of(const Cidr& network) noexcept;
// The length of such a mask.
unsigned length_of(const std::array<std::uint8_t, 16>& mask) noexcept;

// An IPv6 network that holds ::ffff:0:0/96, like ::/0, would match every IPv4 address too: refused.
Result<> require_one_family(const Cidr& network);

} // namespace stem::kernel
