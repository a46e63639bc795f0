// SPDX-License-Identifier: Apache-2.0
#include <ctl/frame/checksum.h>

#include <ctl/frame/octets.h>

#include <netinet/in.h>

namespace stem::frame {

std::uint64_t sum_of(Bytes octets) noexcept {
    std::uint64_t sum = 0;
    std::size_t at = 0;
    for (; at + 2 <= octets.size(); at += 2) {
        sum += read16(octets, at);
    }
    if (at < octets.size()) {
        sum += static_cast<std::uint64_t>(octets[at]) << 8U;
    }
    return sum;
}

std::uint16_t complement(std::uint64_t sum) noexcept {
    while (sum >> 16U != 0) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

void write_ipv4_checksum(MutableBytes frame, std::size_t l3) noexcept {
    const std::size_t header = (frame[l3] & 0x0fU) * std::size_t{4};
    write16(frame, l3 + 10, 0);
    write16(frame, l3 + 10, complement(sum_of(frame.subspan(l3, header))));
}

void write_udp_checksum(MutableBytes frame, std::size_t l3, std::size_t l4, bool v4) noexcept {
    const std::size_t length = read16(frame, l4 + 4);
    const Bytes addresses = v4 ? frame.subspan(l3 + 12, 8) : frame.subspan(l3 + 8, 32);
    write16(frame, l4 + 6, 0);
    const std::uint16_t checksum =
        complement(sum_of(addresses) + IPPROTO_UDP + length + sum_of(frame.subspan(l4, length)));
    // Zero would mean "none" (RFC 768), which IPv6 does not allow (RFC 8200, 8.1).
    write16(frame, l4 + 6, checksum == 0 ? 0xffff : checksum);
}

std::optional<std::uint16_t> udp_checksum_for(const IpView& view, Bytes datagram) noexcept {
    const std::uint16_t there = read16(datagram, 6);
    if (there == 0) {
        return view.v4 ? std::optional(there) : std::nullopt;
    }
    const auto octets_of = [&](const Address& address) {
        return view.v4 ? sum_of(address.v4_octets()) : sum_of(address.octets());
    };
    const std::uint64_t pseudo =
        octets_of(view.source_address) + octets_of(view.destination_address) + IPPROTO_UDP + datagram.size();
    const std::uint64_t sum = pseudo + sum_of(datagram);
    if (complement(sum) == 0) { // all ones, with the checksum in its place (RFC 1071)
        return there;
    }
    if (there != static_cast<std::uint16_t>(~complement(pseudo))) {
        return std::nullopt;
    }
    const std::uint16_t whole = complement(sum - there);
    return whole == 0 ? std::uint16_t{0xffff} : whole;
}

void write_tcp_checksum(MutableBytes frame, std::size_t l3, std::size_t l4, std::size_t length,
                        bool v4) noexcept {
    const Bytes addresses = v4 ? frame.subspan(l3 + 12, 8) : frame.subspan(l3 + 8, 32);
    write16(frame, l4 + 16, 0);
    write16(frame, l4 + 16,
            complement(sum_of(addresses) + IPPROTO_TCP + length + sum_of(frame.subspan(l4, length))));
}

} // namespace stem::frame
