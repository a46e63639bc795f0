// SPDX-License-Identifier: Apache-2.0
// Numbers in network byte order at any alignment. The caller has checked the bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace stem::frame {

inline std::uint16_t read16(std::span<const std::uint8_t> octets, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(octets[at] << 8U | octets[at + 1]);
}

inline std::uint32_t read32(std::span<const std::uint8_t> octets, std::size_t at) noexcept {
    return static_cast<std::uint32_t>(read16(octets, at)) << 16U | read16(octets, at + 2);
}

inline void write16(std::span<std::uint8_t> octets, std::size_t at, std::size_t value) noexcept {
    octets[at] = static_cast<std::uint8_t>(value >> 8U);
    octets[at + 1] = static_cast<std::uint8_t>(value);
}

inline void write32(std::span<std::uint8_t> octets, std::size_t at, std::uint32_t value) noexcept {
    write16(octets, at, value >> 16U);
    write16(octets, at + 2, value & 0xffffU);
}

} // namespace stem::frame
