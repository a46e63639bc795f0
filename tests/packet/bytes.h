// SPDX-License-Identifier: Apache-2.0
// Octets in network order, and the Internet checksum.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stem::test {

using Bytes = std::vector<std::uint8_t>;

// Lists of field values to try: for (const std::uint16_t port : U16{5060, 5080}).
using U8 = std::initializer_list<std::uint8_t>;
using U16 = std::initializer_list<std::uint16_t>;

class Writer {
  public:
    Writer& u8(unsigned value) {
        bytes_.push_back(static_cast<std::uint8_t>(value));
        return *this;
    }
    Writer& u16(unsigned value) { return u8(value >> 8).u8(value); }
    Writer& u32(std::uint32_t value) { return u16(value >> 16).u16(value & 0xffff); }
    Writer& octets(std::span<const std::uint8_t> octets) {
        bytes_.insert(bytes_.end(), octets.begin(), octets.end());
        return *this;
    }
    Writer& text(std::string_view text) {
        bytes_.insert(bytes_.end(), text.begin(), text.end());
        return *this;
    }
    void put_u16(std::size_t at, unsigned value) {
        bytes_[at] = static_cast<std::uint8_t>(value >> 8);
        bytes_[at + 1] = static_cast<std::uint8_t>(value);
    }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] const Bytes& bytes() const { return bytes_; }
    [[nodiscard]] Bytes take() { return std::move(bytes_); }

  private:
    Bytes bytes_;
};

// The running sum of RFC 1071 over `octets`, an odd last octet padded with zero. Not folded.
[[nodiscard]] std::uint32_t checksum_add(std::uint32_t sum, std::span<const std::uint8_t> octets);
// Folded and complemented: what stands in a header.
[[nodiscard]] std::uint16_t checksum_finish(std::uint32_t sum);
// "45000014", without separators.
[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> octets);

} // namespace stem::test
