// SPDX-License-Identifier: Apache-2.0
// Fax over UDPTL (ITU-T T.38, annex D): what its attributes allow it to send.
#pragma once

#include <cstdint>
#include <string_view>

namespace stem::sdp {

inline constexpr std::uint32_t fastest_fax_bps = 33'600; // V.34; also where no T38MaxBitRate says
inline constexpr std::uint32_t largest_fax_datagram = 1472;

struct Fax {
    std::uint32_t bits_per_second = 0; // T38MaxBitRate; 0 = not said
    std::uint32_t datagram = 0;        // T38FaxMaxDatagram, octets; 0 = not said
};

// Takes the attribute `name`, if it is one of fax's that rates hang on.
bool read_fax(std::string_view name, std::string_view value, Fax& fax) noexcept;

struct FaxLoad {
    std::uint32_t bytes_per_second; // IP level, margin included
    std::uint32_t packets_per_second;
    std::uint16_t max_payload;
};

FaxLoad load_of(const Fax& fax, bool v4) noexcept;

} // namespace stem::sdp
