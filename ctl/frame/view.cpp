// SPDX-License-Identifier: Apache-2.0
#include <ctl/frame/view.h>

#include <ctl/frame/octets.h>

#include <net/ethernet.h>
#include <netinet/in.h>

#include <algorithm>

namespace stem::frame {
namespace {

constexpr std::uint16_t ethertype_8021ad = 0x88a8;

template<std::size_t N>
std::array<std::uint8_t, N> copy_octets(Bytes frame, std::size_t at) noexcept {
    std::array<std::uint8_t, N> octets{};
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), N, octets.begin());
    return octets;
}

bool parse_ipv4(Bytes frame, IpView& view) noexcept {
    const std::size_t at = view.l3;
    if (frame.size() < at + ipv4_header || frame[at] >> 4U != 4) {
        return false;
    }
    const std::size_t header = (frame[at] & 0x0fU) * std::size_t{4};
    view.ip_length = read16(frame, at + 2);
    if (header < ipv4_header || view.ip_length < header || view.ip_length > frame.size() - at) {
        return false;
    }
    const unsigned fragment_field = read16(frame, at + 6);
    if ((fragment_field & 0x3fffU) != 0) {
        view.fragment = Fragment{.id = read16(frame, at + 4),
                                 .offset = (fragment_field & 0x1fffU) * 8,
                                 .more = (fragment_field & 0x2000U) != 0};
    }
    view.v4 = true;
    view.dont_fragment = (fragment_field & 0x4000U) != 0;
    view.traffic_class = frame[at + 1];
    view.ttl = frame[at + 8];
    view.protocol = frame[at + 9];
    view.source_address = Address::v4(copy_octets<4>(frame, at + 12));
    view.destination_address = Address::v4(copy_octets<4>(frame, at + 16));
    view.l4 = at + header;
    return true;
}

// Steps over one extension header; `next` is its number on entry and the following one's after it.
bool step_over(Bytes frame, IpView& view, std::uint8_t& next) noexcept {
    const std::size_t left = view.end() - view.l4;
    if (left < 8) {
        return false;
    }
    std::size_t length = (std::size_t{frame[view.l4 + 1]} + 1) * 8;
    if (next == IPPROTO_FRAGMENT) {
        const unsigned field = read16(frame, view.l4 + 2);
        view.fragment =
            Fragment{.id = read32(frame, view.l4 + 4), .offset = field & 0xfff8U, .more = (field & 1U) != 0};
        length = 8;
    } else if (next == IPPROTO_ROUTING && frame[view.l4 + 3] != 0) {
        return false;
    }
    if (length > left) {
        return false;
    }
    next = frame[view.l4];
    view.l4 += length;
    return true;
}

bool is_extension(std::uint8_t next) noexcept {
    return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
           next == IPPROTO_FRAGMENT;
}

bool parse_ipv6(Bytes frame, IpView& view) noexcept {
    const std::size_t at = view.l3;
    if (frame.size() < at + ipv6_header || frame[at] >> 4U != 6) {
        return false;
    }
    view.ip_length = ipv6_header + read16(frame, at + 4);
    if (view.ip_length > frame.size() - at) {
        return false;
    }
    view.dont_fragment = true;
    view.traffic_class = static_cast<std::uint8_t>(read16(frame, at) >> 4U);
    view.ttl = frame[at + 7];
    view.source_address = Address::v6(copy_octets<16>(frame, at + 8));
    view.destination_address = Address::v6(copy_octets<16>(frame, at + 24));
    view.l4 = at + ipv6_header;
    std::uint8_t next = frame[at + 6];
    for (unsigned steps = 0; is_extension(next); ++steps) {
        if (steps == ipv6_extensions_max || !step_over(frame, view, next)) {
            return false;
        }
        // What follows in a later fragment is data of the datagram, whatever its number says.
        if (view.fragment && !view.fragment->first()) {
            break;
        }
    }
    view.protocol = next;
    return true;
}

} // namespace

std::optional<IpView> parse_ip(Bytes frame) noexcept {
    if (frame.size() < ethernet_header) {
        return std::nullopt;
    }
    IpView view;
    std::uint16_t type = read16(frame, ethernet_header - 2);
    view.l3 = ethernet_header;
    while (type == ETHERTYPE_VLAN || type == ethertype_8021ad) {
        if (view.vlan_count == vlan_tags_max || frame.size() < view.l3 + vlan_tag) {
            return std::nullopt;
        }
        view.vlans[view.vlan_count++] = {.tpid = type, .tci = read16(frame, view.l3)};
        type = read16(frame, view.l3 + 2);
        view.l3 += vlan_tag;
    }
    if ((type == ETHERTYPE_IP && parse_ipv4(frame, view)) ||
        (type == ETHERTYPE_IPV6 && parse_ipv6(frame, view))) {
        return view;
    }
    return std::nullopt;
}

std::optional<FrameView> parse_frame(Bytes frame) noexcept {
    const auto ip = parse_ip(frame);
    if (!ip || ip->protocol != IPPROTO_UDP) {
        return std::nullopt;
    }
    FrameView view;
    static_cast<IpView&>(view) = *ip;
    view.source.address = ip->source_address;
    view.destination.address = ip->destination_address;
    const std::size_t left = ip->end() - ip->l4;
    if (ip->fragment && !ip->fragment->first()) {
        view.payload = ip->l4;
        view.payload_length = left;
        return view;
    }
    if (left < udp_header) {
        return std::nullopt;
    }
    const std::size_t length = read16(frame, ip->l4 + 4);
    const bool beginning_only = ip->fragment && ip->fragment->more;
    if (length < udp_header || (length > left && !beginning_only)) {
        return std::nullopt;
    }
    view.source.port = read16(frame, ip->l4);
    view.destination.port = read16(frame, ip->l4 + 2);
    view.payload = ip->l4 + udp_header;
    view.payload_length = std::min(length, left) - udp_header;
    return view;
}

} // namespace stem::frame
