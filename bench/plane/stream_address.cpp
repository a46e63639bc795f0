// SPDX-License-Identifier: Apache-2.0
#include "plane/stream_address.h"

#include "plane/flow_mix.h"

#include <endian.h>

#include <bit>

namespace stem::bench {

Address address_of(std::uint32_t host, Family family) {
    if (family == Family::v4) {
        return Address::v4(std::bit_cast<std::array<std::uint8_t, 4>>(htobe32(host)));
    }
    const bool inside = (host & 0xffff0000U) == BENCH_V4_DESTINATION;
    const std::array<std::uint32_t, 4> words{htobe32(BENCH_V6_HIGH),
                                             htobe32(inside ? BENCH_V6_DESTINATION_LOW : BENCH_V6_SOURCE_LOW),
                                             0, htobe32(host)};
    return Address::v6(std::bit_cast<std::array<std::uint8_t, 16>>(words));
}

} // namespace stem::bench
