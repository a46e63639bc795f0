// SPDX-License-Identifier: Apache-2.0
#include "bytes.h"

#include <fmt/format.h>

#include <iterator>

namespace stem::test {

std::uint32_t checksum_add(std::uint32_t sum, std::span<const std::uint8_t> octets) {
    for (std::size_t i = 0; i < octets.size(); i += 2) {
        const std::uint32_t low = i + 1 < octets.size() ? octets[i + 1] : 0U;
        sum += (std::uint32_t{octets[i]} << 8) | low;
    }
    return sum;
}

std::uint16_t checksum_finish(std::uint32_t sum) {
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

std::string to_hex(std::span<const std::uint8_t> octets) {
    std::string text;
    for (const std::uint8_t octet : octets) {
        fmt::format_to(std::back_inserter(text), "{:02x}", octet);
    }
    return text;
}

} // namespace stem::test
