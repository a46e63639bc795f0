// SPDX-License-Identifier: Apache-2.0
// Internet checksums (RFC 1071) of whole headers and datagrams. Always computed anew, never adjusted: what a
// local sender left in the field may be a partial sum.
#pragma once

#include <ctl/frame/view.h>

namespace stem::frame {

// Writes the checksum of the IPv4 header at `l3`, options included.
void write_ipv4_checksum(MutableBytes frame, std::size_t l3) noexcept;
// Writes the checksum of the UDP datagram at `l4`, whose length field is right and within `frame`; the
// addresses are taken from the IP header at `l3`.
void write_udp_checksum(MutableBytes frame, std::size_t l3, std::size_t l4, bool v4) noexcept;

// The same of the TCP segment of `length` octets at `l4`.
void write_tcp_checksum(MutableBytes frame, std::size_t l3, std::size_t l4, std::size_t length,
                        bool v4) noexcept;

// The parts of it: a sum of 16-bit words, of which an odd last octet counts as if a zero followed it; and the
// checksum of such a sum.
std::uint64_t sum_of(Bytes octets) noexcept;
std::uint16_t complement(std::uint64_t sum) noexcept;

} // namespace stem::frame
