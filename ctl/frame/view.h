// SPDX-License-Identifier: Apache-2.0
// Where the parts of an Ethernet frame are. Nothing here owns, copies or allocates; every offset is checked
// against the frame's end.
#pragma once

#include <stem/address.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace stem::frame {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

inline constexpr std::size_t ethernet_header = 14;
inline constexpr std::size_t vlan_tag = 4;
inline constexpr std::size_t vlan_tags_max = 2;
inline constexpr std::size_t ipv4_header = 20; // without options
inline constexpr std::size_t ipv6_header = 40;
inline constexpr std::size_t udp_header = 8;
inline constexpr std::size_t ethernet_minimum = 60; // octets of a frame without its FCS (IEEE 802.3, 3.2.8)
inline constexpr unsigned ipv6_extensions_max = 6;  // headers walked; more is not ours to carry

struct VlanTag {
    std::uint16_t tpid = 0; // 0x8100 or 0x88a8
    std::uint16_t tci = 0;  // priority and id

    [[nodiscard]] std::uint16_t id() const noexcept { return tci & 0x0fffU; }
};

struct Fragment {
    std::uint32_t id = 0;     // 16 bits in IPv4
    std::uint32_t offset = 0; // octets
    bool more = false;

    [[nodiscard]] bool first() const noexcept { return offset == 0; }
};

// The link and network layers. Offsets are octets from the start of the frame; numbers in host byte order.
struct IpView {
    std::array<VlanTag, vlan_tags_max> vlans{}; // outermost first
    std::size_t vlan_count = 0;
    std::size_t l3 = 0;        // the IP header
    std::size_t l4 = 0;        // the first octet after all IP headers
    std::size_t ip_length = 0; // of the whole IP packet: IPv4 total length, IPv6 40 + payload length
    bool v4 = false;
    Address source_address;
    Address destination_address;
    std::uint8_t traffic_class = 0; // DSCP and ECN
    std::uint8_t ttl = 0;           // hop limit
    std::uint8_t protocol = 0;      // IPPROTO_* of what is at l4
    bool dont_fragment = false;     // IPv4; always true for IPv6
    std::optional<Fragment> fragment;

    // Where the IP packet ends; Ethernet padding may follow.
    [[nodiscard]] std::size_t end() const noexcept { return l3 + ip_length; }
    // The IP packet alone.
    [[nodiscard]] Bytes packet(Bytes frame) const noexcept { return frame.subspan(l3, ip_length); }
};

// A UDP datagram, or a fragment of one. Only the first fragment has a UDP header: for the others the ports
// are 0 and the payload starts at l4. The payload of a fragment is what the fragment has of it.
struct FrameView : IpView {
    Endpoint source;
    Endpoint destination;
    std::size_t payload = 0; // offset
    std::size_t payload_length = 0;

    [[nodiscard]] Bytes payload_of(Bytes frame) const noexcept {
        return frame.subspan(payload, payload_length);
    }
};

// Ethernet II with up to two VLAN tags (802.1Q, 802.1ad), IPv4 with options (RFC 791), IPv6 with hop-by-hop,
// destination, routing and fragment headers (RFC 8200). Nothing for anything else, for what is truncated, and
// for a source route that is not at its end yet (its checksum names another destination; RFC 5095). Checksums
// are not verified here (checksum.h, tcp.h).
std::optional<IpView> parse_ip(Bytes frame) noexcept;
// The same, and UDP in it (RFC 768). A UDP length that contradicts the IP length gives nothing.
std::optional<FrameView> parse_frame(Bytes frame) noexcept;

} // namespace stem::frame
