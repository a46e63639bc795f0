// SPDX-License-Identifier: Apache-2.0
// What bounds SIP over TCP, with defaults. stemd reads them from [tcp].
#pragma once

#include <ctl/tcp/framer.h>
#include <stem/abi/address.h>

#include <array>
#include <chrono>
#include <cstddef>

namespace stem::tcp {

struct Settings {
    std::size_t max_connections = 16384; // unknown sources leave a quarter of them to known ones
    std::size_t max_per_source = 512; // connections of one source that nobody knows: IPv4 address, IPv6 /64
    std::size_t buffer = 65536;       // octets of a stream that wait here, on their way in or out
    std::size_t held = 262144;        // octets of messages of a stream that wait for a decision
    std::size_t total = 64UL << 20U;  // octets of all streams; unknown sources leave a quarter to known ones
    std::size_t total_per_source = 4UL << 20U; // octets of one source that nobody knows
    std::chrono::milliseconds handshake_timeout{30000};
    std::chrono::milliseconds message_timeout{10000}; // for a message's headers, and for a hole to be filled
    std::size_t least_rate = 200;                     // octets/s of a body, and of what an end takes
    std::chrono::milliseconds unacknowledged{120000}; // an end that takes nothing for so long is gone
    std::chrono::milliseconds idle{7440000};          // RFC 5382, REQ-5: two hours and four minutes
    std::chrono::milliseconds linger{10000};          // a connection that is over is remembered
    FramingLimits framing;                            // from [sip.limits]
    // Octets of an IP packet, of the port by which the end of this direction is reached.
    std::array<std::size_t, STEM_DIRECTIONS> mtu{1500, 1500};
};

} // namespace stem::tcp
