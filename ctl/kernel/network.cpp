// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/network.h"

#include <bit>

namespace stem::kernel {

Cidr network_of(const Address& address, unsigned mapped_length) {
    const unsigned base = address.is_v4() && mapped_length >= STEM_V4_PREFIX_BASE ? STEM_V4_PREFIX_BASE : 0;
    auto octets = address.octets();
    for (unsigned bit = mapped_length; bit < 128; bit++) {
        octets[bit / 8] = static_cast<std::uint8_t>(octets[bit / 8] & ~(0x80U >> (bit % 8)));
    }
    const Address first =
        base != 0 ? Address::v4({octets[12], octets[13], octets[14], octets[15]}) : Address::v6(octets);
    const auto parsed = Cidr::parse(first.to_string() + "/" + std::to_string(mapped_length - base));
    return parsed.value_or(Cidr::host(first));
}

std::array<std::uint8_t, 16> mask_of(const Cidr& network) noexcept {
    std::array<std::uint8_t, 16> mask{};
    for (unsigned bit = 0; bit < network.mapped_length(); bit++) {
        mask[bit / 8] = static_cast<std::uint8_t>(mask[bit / 8] | (0x80U >> (bit % 8)));
    }
    return mask;
}

unsigned length_of(const std::array<std::uint8_t, 16>& mask) noexcept {
    unsigned length = 0;
    for (const auto octet : mask) {
        length += static_cast<unsigned>(std::popcount(octet));
    }
    return length;
}

Result<> require_one_family(const Cidr& network) {
    if (network.network().is_v4() || !network.contains(Address::v4({0, 0, 0, 0}))) {
        return {};
    }
    return fail("use network '" + network.to_string() + "'",
                "it holds ::ffff:0:0/96, and so would match every IPv4 address too",
                "write 2000::/3 for all global IPv6 addresses, or narrower networks");
}

} // namespace stem::kernel
