// SPDX-License-Identifier: Apache-2.0
// Frames made of other frames: an answer to a datagram, a datagram with a part of its payload replaced.
#pragma once

#include <ctl/frame/view.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

namespace stem::frame {

enum class BuildError : std::uint8_t {
    no_room,        // the buffer cannot hold the new frame
    over_mtu,       // the new IP packet is longer than the MTU, or than an IP packet can be
    bad_range,      // the range to replace is not within the payload
    fragment,       // only a whole datagram can be answered or changed
    not_unicast,    // a group address cannot be the source of an answer
    not_answerable, // the sender has no address or port to answer to
};

std::string_view to_string(BuildError error) noexcept; // "the buffer cannot hold the new frame"

inline constexpr std::uint8_t reply_ttl = 64; // RFC 1700's recommended default

// Writes to `out` a UDP datagram with `payload` back to the sender of `original`, on the link that it came
// by: link addresses, network addresses and ports swapped, the same VLAN tags, DSCP and don't-fragment bit,
// no ECN, no IPv4 options or IPv6 extension headers. Padded to Ethernet's minimum. Returns the frame's
// length. `out` and `payload` must not overlap `original`. `mtu`: octets of an IP packet.
std::expected<std::size_t, BuildError> make_reply(const FrameView& view, Bytes original, Bytes payload,
                                                  MutableBytes out, std::size_t mtu) noexcept;

// Octets of a payload, from its start.
struct PayloadRange {
    std::size_t offset = 0;
    std::size_t length = 0;
};

// Replaces a range of the UDP payload in place and puts lengths and checksums right. `buffer` starts with the
// frame that `view` was parsed from and goes on for as long as the frame may grow. Returns the frame's new
// length; `view` is out of date then. On an error nothing was changed. `replacement` must not lie in
// `buffer`.
std::expected<std::size_t, BuildError> replace_payload(const FrameView& view, MutableBytes buffer,
                                                       PayloadRange range, Bytes replacement,
                                                       std::size_t mtu) noexcept;

} // namespace stem::frame
