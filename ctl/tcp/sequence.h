// SPDX-License-Identifier: Apache-2.0
// Sequence numbers (RFC 9293 3.4): 32 bits that wrap around, compared within half of their space.
#pragma once

#include <cstdint>

namespace stem::tcp {

using Seq = std::uint32_t;

// How far `to` is ahead of `from`; negative where it is behind.
constexpr std::int32_t distance(Seq from, Seq to) noexcept {
    return static_cast<std::int32_t>(to - from);
}
constexpr bool before(Seq left, Seq right) noexcept {
    return distance(left, right) > 0;
}

} // namespace stem::tcp
