// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/trunks.h"

namespace stem::kernel {
namespace {

constexpr unsigned longest_host_part = 8; // bits
constexpr unsigned address_bits = 128;

} // namespace

Result<std::vector<Address>> addresses_of(std::span<const Cidr> networks) {
    std::vector<Address> all;
    for (const Cidr& network : networks) {
        const unsigned host_bits = address_bits - network.mapped_length();
        if (host_bits > longest_host_part) {
            return fail("name the trunks " + network.to_string(),
                        "known peers are single addresses, and this network has more than 256",
                        "name the carrier's addresses, or networks of /24 (IPv6: /120) and smaller");
        }
        stem_addr raw = network.network().raw();
        const unsigned first = raw.octet[15];
        for (unsigned i = 0; i < (1U << host_bits); i++) {
            raw.octet[15] = static_cast<std::uint8_t>(first + i);
            all.emplace_back(raw);
        }
    }
    return all;
}

} // namespace stem::kernel
