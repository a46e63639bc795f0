// SPDX-License-Identifier: Apache-2.0
#include <ctl/frame/tcp.h>

#include <ctl/frame/checksum.h>
#include <ctl/frame/octets.h>

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace stem::frame {
namespace {

constexpr std::size_t options_max = 40;
constexpr std::size_t ip_length_max = 65535;
constexpr std::uint8_t flag_mask = 0x3f;

void write_ip(const TcpSegment& segment, MutableBytes out, std::size_t l3, std::size_t tcp_length) noexcept {
    if (segment.source.address.is_v4()) {
        const auto source = segment.source.address.v4_octets();
        const auto destination = segment.destination.address.v4_octets();
        out[l3] = 0x45;
        out[l3 + 1] = segment.traffic_class & 0xfcU;
        write16(out, l3 + 2, ipv4_header + tcp_length);
        write16(out, l3 + 4, 0);
        write16(out, l3 + 6, 0x4000);
        out[l3 + 8] = segment.ttl;
        out[l3 + 9] = IPPROTO_TCP;
        std::ranges::copy(source, out.subspan(l3 + 12).begin());
        std::ranges::copy(destination, out.subspan(l3 + 16).begin());
        write_ipv4_checksum(out, l3);
        return;
    }
    write16(out, l3, 0x6000U | (segment.traffic_class & 0xfcU) << 4U);
    write16(out, l3 + 2, 0);
    write16(out, l3 + 4, tcp_length);
    out[l3 + 6] = IPPROTO_TCP;
    out[l3 + 7] = segment.ttl;
    std::ranges::copy(segment.source.address.octets(), out.subspan(l3 + 8).begin());
    std::ranges::copy(segment.destination.address.octets(), out.subspan(l3 + 24).begin());
}

void write_header(const TcpSegment& segment, MutableBytes out, std::size_t l4) noexcept {
    write16(out, l4, segment.source.port);
    write16(out, l4 + 2, segment.destination.port);
    write32(out, l4 + 4, segment.sequence);
    write32(out, l4 + 8, segment.acknowledgment);
    out[l4 + 12] = static_cast<std::uint8_t>((tcp_header + segment.options.size()) / 4 << 4U);
    out[l4 + 13] = segment.flags & flag_mask;
    write16(out, l4 + 14, segment.window);
    write16(out, l4 + 18, 0);
    std::ranges::copy(segment.options, out.subspan(l4 + tcp_header).begin());
}

} // namespace

std::optional<TcpView> parse_tcp(Bytes frame) noexcept {
    const auto ip = parse_ip(frame);
    if (!ip || ip->protocol != IPPROTO_TCP || ip->fragment) {
        return std::nullopt;
    }
    const std::size_t l4 = ip->l4;
    if (l4 > ip->end() || ip->end() - l4 < tcp_header) {
        return std::nullopt;
    }
    const std::size_t header = (frame[l4 + 12] >> 4U) * std::size_t{4};
    if (header < tcp_header || header > ip->end() - l4) {
        return std::nullopt;
    }
    TcpView view;
    static_cast<IpView&>(view) = *ip;
    view.source = {.address = ip->source_address, .port = read16(frame, l4)};
    view.destination = {.address = ip->destination_address, .port = read16(frame, l4 + 2)};
    view.sequence = read32(frame, l4 + 4);
    view.acknowledgment = read32(frame, l4 + 8);
    view.flags = frame[l4 + 13] & flag_mask;
    view.window = read16(frame, l4 + 14);
    view.options = l4 + tcp_header;
    view.payload = l4 + header;
    view.payload_length = ip->end() - view.payload;
    return view;
}

bool tcp_checksum_is_good(const TcpView& view, Bytes frame) noexcept {
    const std::size_t length = view.end() - view.l4;
    const Bytes addresses = view.v4 ? frame.subspan(view.l3 + 12, 8) : frame.subspan(view.l3 + 8, 32);
    const std::uint64_t pseudo = sum_of(addresses) + IPPROTO_TCP + length;
    const auto partial = static_cast<std::uint16_t>(~complement(pseudo));
    // The sum over a datagram with its checksum in place is all ones (RFC 1071).
    return complement(pseudo + sum_of(frame.subspan(view.l4, length))) == 0 ||
           read16(frame, view.l4 + 16) == partial;
}

LinkHeader LinkHeader::of(const IpView& view, Bytes frame) noexcept {
    LinkHeader header;
    header.length = std::min(view.l3, header.octets.size());
    std::copy_n(frame.begin(), header.length, header.octets.begin());
    return header;
}

LinkHeader LinkHeader::reversed() const noexcept {
    LinkHeader header = *this;
    std::swap_ranges(header.octets.begin(), header.octets.begin() + 6, header.octets.begin() + 6);
    return header;
}

std::size_t make_tcp(const LinkHeader& link, const TcpSegment& segment, MutableBytes out) noexcept {
    const bool v4 = segment.source.address.is_v4();
    const std::size_t tcp_length = tcp_header + segment.options.size() + segment.payload.size();
    const std::size_t length = link.length + (v4 ? ipv4_header : ipv6_header) + tcp_length;
    if (segment.destination.address.is_v4() != v4 || segment.options.size() > options_max ||
        segment.options.size() % 4 != 0 || length - link.length > ip_length_max || length > out.size()) {
        return 0;
    }
    std::copy_n(link.octets.begin(), link.length, out.begin());
    const std::size_t l3 = link.length;
    const std::size_t l4 = l3 + (v4 ? ipv4_header : ipv6_header);
    write_ip(segment, out, l3, tcp_length);
    write_header(segment, out, l4);
    if (!segment.payload.empty()) {
        std::memcpy(out.subspan(l4 + tcp_header + segment.options.size()).data(), segment.payload.data(),
                    segment.payload.size());
    }
    write_tcp_checksum(out, l3, l4, tcp_length, v4);
    const std::size_t padded =
        link.length == 0 ? length : std::min(std::max(length, ethernet_minimum), out.size());
    std::ranges::fill(out.subspan(length, padded - length), std::uint8_t{0});
    return padded;
}

} // namespace stem::frame
