// SPDX-License-Identifier: Apache-2.0
// Internet checksums (RFC 1071) of whole headers and datagrams. Always computed anew, never adjusted: what a
// local sender left in the field may be a partial sum.
#pragma once

#include <ctl/frame/view.h>

#include <cstdint>
#include <optional>

namespace stem::frame {

// Writes the checksum of the IPv4 header at `l3`, options included.
void write_ipv4_checksum(MutableBytes frame, std::size_t l3) noexcept;
// Writes the checksum of the UDP datagram at `l4`, whose length field is right and within `frame`; the
// addresses are taken from the IP header at `l3`.
void write_udp_checksum(MutableBytes frame, std::size_t l3, std::size_t l4, bool v4) noexcept;

// The same of the TCP segment of `length` octets at `l4`.
void write_tcp_checksum(MutableBytes frame, std::size_t l3, std::size_t l4, std::size_t length,
                        bool v4) noexcept;

// What the checksum field of a UDP datagram ought to have, which begins with its header and is there as a
// whole: what it has, where that is right, or where over IPv4 there is none (RFC 768); all of the sum, where
// it has that of the pseudo-header alone, as a local sender leaves it for a device to finish
// (CHECKSUM_PARTIAL) and a veth pair hands it over. Nothing: it is wrong, or missing over IPv6 (RFC
// 8200 8.1), and no receiver takes it.
std::optional<std::uint16_t> udp_checksum_for(const IpView& view, Bytes datagram) noexcept;

// The parts of it: a sum of 16-bit words, of which an odd last octet counts as if a zero followed it; and the
// checksum of such a sum.
std::uint64_t sum_of(Bytes octets) noexcept;
std::uint16_t complement(std::uint64_t sum) noexcept;

} // namespace stem::frame
