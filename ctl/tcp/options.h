// SPDX-License-Identifier: Apache-2.0
// TCP options. Two pass from end to end: the maximum segment size, and timestamps (RFC 7323). The others are
// taken out of the handshake, so that neither end uses them: windows stay unscaled, as a stemd that took a
// connection over could not know the scale; selective acknowledgments, fast open and multipath would speak of
// octets that stemd may have changed.
#pragma once

#include <ctl/frame/view.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace stem::tcp {

struct Timestamps {
    std::uint32_t value = 0; // the sender's clock
    std::uint32_t echo = 0;  // the last of the other's that it has seen
};

struct Options {
    std::optional<std::uint16_t> mss;
    std::optional<Timestamps> timestamps;
    // Signed (RFC 2385, 5925): a segment that another wrote would be refused, so it cannot be followed.
    bool is_signed = false;
};

// Stops at what is broken, as the kernel does.
Options read_options(frame::Bytes octets) noexcept;

// Options as they stand in a segment, padded to words.
class OptionOctets {
  public:
    static OptionOctets write(std::optional<std::uint16_t> mss,
                              std::optional<Timestamps> timestamps) noexcept;
    [[nodiscard]] frame::Bytes octets() const noexcept { return frame::Bytes(octets_).first(length_); }

  private:
    std::array<std::uint8_t, 16> octets_{};
    std::size_t length_ = 0;
};

inline constexpr std::size_t timestamp_octets = 12; // with its padding

} // namespace stem::tcp
