// SPDX-License-Identifier: Apache-2.0
// TCP segments in frames (RFC 9293): where their parts are, and frames made for segments of our own.
#pragma once

#include <ctl/frame/view.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stem::frame {

inline constexpr std::size_t tcp_header = 20; // without options

enum TcpFlag : std::uint8_t {
    tcp_fin = 1U << 0U,
    tcp_syn = 1U << 1U,
    tcp_rst = 1U << 2U,
    tcp_psh = 1U << 3U,
    tcp_ack = 1U << 4U,
    tcp_urg = 1U << 5U,
};

// A whole TCP segment. Numbers in host byte order, offsets from the frame's start.
struct TcpView : IpView {
    Endpoint source;
    Endpoint destination;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgment = 0;
    std::uint16_t window = 0; // as it stands, not scaled
    std::uint8_t flags = 0;   // TcpFlag, as on the wire
    std::size_t options = 0;
    std::size_t payload = 0;
    std::size_t payload_length = 0;

    [[nodiscard]] Bytes options_of(Bytes frame) const noexcept {
        return frame.subspan(options, payload - options);
    }
    [[nodiscard]] Bytes payload_of(Bytes frame) const noexcept {
        return frame.subspan(payload, payload_length);
    }
};

// parse_ip(), and TCP in it. Nothing for a fragment, and for a header that is cut short or lies about its
// length. The checksum is not verified here.
std::optional<TcpView> parse_tcp(Bytes frame) noexcept;

// True where the checksum is right, or is the sum of the pseudo-header alone: that is what a local sender
// leaves for a device to finish (CHECKSUM_PARTIAL), and what a veth pair hands over as it is.
bool tcp_checksum_is_good(const TcpView& view, Bytes frame) noexcept;

// Link addresses, VLAN tags and type: what stands before the IP header.
struct LinkHeader {
    std::array<std::uint8_t, ethernet_header + vlan_tags_max * vlan_tag> octets{};
    std::size_t length = 0; // 0: not known

    static LinkHeader of(const IpView& view, Bytes frame) noexcept;
    // The way back: link addresses swapped.
    [[nodiscard]] LinkHeader reversed() const noexcept;
};

struct TcpSegment {
    Endpoint source;
    Endpoint destination; // of the source's family
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgment = 0;
    std::uint8_t flags = 0;
    std::uint16_t window = 0;
    Bytes options; // a multiple of four octets, at most forty
    std::string_view payload;
    std::uint8_t ttl = 64;          // hop limit
    std::uint8_t traffic_class = 0; // DSCP; ECN is left at 0
};

// Writes a frame with `segment` to `out`: don't-fragment, both checksums whole, padded to Ethernet's minimum.
// Returns its length, or 0 where `out` cannot hold it or the segment cannot be.
std::size_t make_tcp(const LinkHeader& link, const TcpSegment& segment, MutableBytes out) noexcept;

} // namespace stem::frame
