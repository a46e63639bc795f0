// SPDX-License-Identifier: Apache-2.0
// Another address and port in the place of a datagram's source or destination.
#pragma once

#include <ctl/frame/view.h>

#include <cstdint>

namespace stem::frame {

enum class End : std::uint8_t { source, destination };

// Writes `endpoint` in the place of an end of the datagram that `view` was parsed from, and its checksums
// anew; a UDP checksum of zero stays zero (RFC 768). False, with nothing changed, for a fragment and for an
// address of the other family. Lengths stay; of `view` only the addresses are out of date then.
bool readdress(const FrameView& view, MutableBytes frame, End end, const Endpoint& endpoint) noexcept;

} // namespace stem::frame
