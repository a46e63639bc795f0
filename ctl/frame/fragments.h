// SPDX-License-Identifier: Apache-2.0
// A datagram of any size as frames that the link takes: whole, or in IP fragments (RFC 791 3.2, RFC
// 8200 4.5).
#pragma once

#include <ctl/frame/build.h>
#include <ctl/frame/view.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <vector>

namespace stem::frame {

// Frames of one UDP datagram with `payload`, between the ends of `view` and on the link of `original`: link
// addresses, VLAN tags, traffic class and TTL are those of `original`, the first fragment or the whole of
// what this takes the place of, which `view` was parsed from; IPv4 options and IPv6 extension headers are
// left away. `id` is what tells the fragments from others'. `mtu`: octets of an IP packet.
std::expected<std::vector<std::vector<std::uint8_t>>, BuildError>
make_datagram(const FrameView& view, Bytes original, Bytes payload, std::uint32_t id, std::size_t mtu);

} // namespace stem::frame
