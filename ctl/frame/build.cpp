// SPDX-License-Identifier: Apache-2.0
#include <ctl/frame/build.h>

#include <ctl/frame/checksum.h>
#include <ctl/frame/octets.h>

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace stem::frame {
namespace {

constexpr std::size_t ip_length_max = 65535; // a 16-bit length field, and no jumbograms

// Octets from `at` in `from` to `to_at` in `to`.
void copy(Bytes from, std::size_t at, MutableBytes to, std::size_t to_at, std::size_t count) noexcept {
    if (count > 0) {
        std::memcpy(to.subspan(to_at, count).data(), from.subspan(at, count).data(), count);
    }
}

// Pads with zeros to what every link takes, as far as the buffer goes.
std::size_t pad(MutableBytes buffer, std::size_t length) noexcept {
    const std::size_t padded = std::min(std::max(length, ethernet_minimum), buffer.size());
    std::ranges::fill(buffer.subspan(length, padded - length), std::uint8_t{0});
    return padded;
}

void write_reply_ipv4(const FrameView& view, Bytes original, MutableBytes out,
                      std::size_t ip_length) noexcept {
    const std::size_t l3 = view.l3;
    out[l3] = 0x45;
    out[l3 + 1] = view.traffic_class & 0xfcU;
    write16(out, l3 + 2, ip_length);
    write16(out, l3 + 4, 0);
    write16(out, l3 + 6, view.dont_fragment ? 0x4000 : 0);
    out[l3 + 8] = reply_ttl;
    out[l3 + 9] = IPPROTO_UDP;
    copy(original, l3 + 16, out, l3 + 12, 4);
    copy(original, l3 + 12, out, l3 + 16, 4);
    write_ipv4_checksum(out, l3);
}

void write_reply_ipv6(const FrameView& view, Bytes original, MutableBytes out,
                      std::size_t ip_length) noexcept {
    const std::size_t l3 = view.l3;
    write16(out, l3, 0x6000U | (view.traffic_class & 0xfcU) << 4U);
    write16(out, l3 + 2, 0);
    write16(out, l3 + 4, ip_length - ipv6_header);
    out[l3 + 6] = IPPROTO_UDP;
    out[l3 + 7] = reply_ttl;
    copy(original, l3 + 24, out, l3 + 8, 16);
    copy(original, l3 + 8, out, l3 + 24, 16);
}

} // namespace

std::string_view to_string(BuildError error) noexcept {
    switch (error) {
    case BuildError::no_room:
        return "the buffer cannot hold the new frame";
    case BuildError::over_mtu:
        return "the new packet is longer than the MTU";
    case BuildError::bad_range:
        return "the range is not within the payload";
    case BuildError::fragment:
        return "a fragment cannot be answered or changed";
    case BuildError::not_unicast:
        return "a datagram to a group cannot be answered";
    case BuildError::not_answerable:
        return "the sender has no address or port to answer to";
    }
    return "unknown";
}

std::expected<std::size_t, BuildError> make_reply(const FrameView& view, Bytes original, Bytes payload,
                                                  MutableBytes out, std::size_t mtu) noexcept {
    if (view.fragment) {
        return std::unexpected(BuildError::fragment);
    }
    // The lowest bit of the first octet marks a group in an Ethernet address.
    if (view.destination.address.is_multicast() || view.destination.address.is_broadcast() ||
        (original[0] & 1U) != 0) {
        return std::unexpected(BuildError::not_unicast);
    }
    if (view.source.port == 0 || view.source.address.is_unspecified() || view.source.address.is_multicast() ||
        view.source.address.is_broadcast() || (original[6] & 1U) != 0) {
        return std::unexpected(BuildError::not_answerable);
    }
    const std::size_t ip_header = view.v4 ? ipv4_header : ipv6_header;
    const std::size_t udp_length = udp_header + payload.size();
    const std::size_t ip_length = ip_header + udp_length;
    if (ip_length > std::min(mtu, ip_length_max)) {
        return std::unexpected(BuildError::over_mtu);
    }
    const std::size_t length = view.l3 + ip_length;
    if (length > out.size()) {
        return std::unexpected(BuildError::no_room);
    }
    copy(original, 6, out, 0, 6);
    copy(original, 0, out, 6, 6);
    copy(original, 12, out, 12, view.l3 - 12); // the VLAN tags and the type
    if (view.v4) {
        write_reply_ipv4(view, original, out, ip_length);
    } else {
        write_reply_ipv6(view, original, out, ip_length);
    }
    const std::size_t l4 = view.l3 + ip_header;
    write16(out, l4, view.destination.port);
    write16(out, l4 + 2, view.source.port);
    write16(out, l4 + 4, udp_length);
    copy(payload, 0, out, l4 + udp_header, payload.size());
    write_udp_checksum(out, view.l3, l4, view.v4);
    return pad(out, length);
}

std::expected<std::size_t, BuildError> replace_payload(const FrameView& view, MutableBytes buffer,
                                                       PayloadRange range, Bytes replacement,
                                                       std::size_t mtu) noexcept {
    if (view.fragment) {
        return std::unexpected(BuildError::fragment);
    }
    if (range.offset > view.payload_length || range.length > view.payload_length - range.offset) {
        return std::unexpected(BuildError::bad_range);
    }
    const std::size_t payload_length = view.payload_length - range.length + replacement.size();
    const std::size_t ip_length = view.payload - view.l3 + payload_length;
    if (ip_length > std::min(mtu, ip_length_max)) {
        return std::unexpected(BuildError::over_mtu);
    }
    const std::size_t length = view.l3 + ip_length;
    if (length > buffer.size()) {
        return std::unexpected(BuildError::no_room);
    }
    const std::size_t from = view.payload + range.offset + range.length;
    const std::size_t to = view.payload + range.offset + replacement.size();
    const std::size_t tail = view.payload_length - range.offset - range.length;
    std::memmove(buffer.data() + to, buffer.data() + from, tail);
    copy(replacement, 0, buffer, view.payload + range.offset, replacement.size());

    // What may have followed the datagram inside the IP packet is gone: IP ends where UDP does.
    write16(buffer, view.l4 + 4, udp_header + payload_length);
    if (view.v4) {
        write16(buffer, view.l3 + 2, ip_length);
        write_ipv4_checksum(buffer, view.l3);
    } else {
        write16(buffer, view.l3 + 4, ip_length - ipv6_header);
    }
    write_udp_checksum(buffer, view.l3, view.l4, view.v4);
    return pad(buffer, length);
}

} // namespace stem::frame
