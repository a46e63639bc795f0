// SPDX-License-Identifier: Apache-2.0
#include "ctl/sdp/fax.h"

#include "ctl/sdp/numbers.h"

#include <algorithm>

namespace stem::sdp {
namespace {

constexpr std::uint32_t slowest_bps = 2'400;
constexpr std::uint64_t packets = 100; // per second: frames of 10 ms are the shortest that gateways make
// The primary packet and what repairs the four before it: more than gateways send.
constexpr std::uint64_t copies = 5;
constexpr std::uint64_t packet_octets = 12; // sequence number, lengths, T.38's own header, error recovery
constexpr std::uint64_t udp = 8;
constexpr std::uint16_t usual_datagram = 600; // whatever T38FaxMaxDatagram says: the field sends more
constexpr std::uint64_t margin = 125;         // percent

} // namespace

bool read_fax(std::string_view name, std::string_view value, Fax& fax) noexcept {
    const auto number = number_in(next_word(value));
    if (same_letters(name, "T38MaxBitRate")) {
        fax.bits_per_second = clamped(number.value_or(0));
        return true;
    }
    if (same_letters(name, "T38FaxMaxDatagram")) {
        fax.datagram = clamped(number.value_or(0));
        return true;
    }
    return false;
}

FaxLoad load_of(const Fax& fax, bool v4) noexcept {
    const std::uint64_t bps = fax.bits_per_second == 0
                                  ? fastest_fax_bps
                                  : std::clamp(fax.bits_per_second, slowest_bps, fastest_fax_bps);
    const std::uint64_t header = (v4 ? 20U : 40U) + udp + packet_octets;
    const std::uint64_t bytes = bps / 8 * copies + packets * header;
    return {.bytes_per_second = static_cast<std::uint32_t>(bytes * margin / 100),
            .packets_per_second = static_cast<std::uint32_t>(packets * margin / 100),
            .max_payload = static_cast<std::uint16_t>(
                std::clamp<std::uint32_t>(fax.datagram, usual_datagram, largest_fax_datagram))};
}

} // namespace stem::sdp
