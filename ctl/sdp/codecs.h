// SPDX-License-Identifier: Apache-2.0
// What a codec may send: the one table that rates and sizes of media are computed from.
//
// The rule. A codec of the table gets the table's rate, whatever b= says: b= is what the receiver wishes for,
// as a maximum, and phones print values there that have nothing to do with the codec. Where the rate depends
// on the payload (Opus, AMR, iLBC), a=fmtp decides. What the table does not know, and all video, gets b=TIAS
// plus its headers, else b=AS as it stands (it counts IP, UDP and RTP: RFC 3550 6.2), at most `rate_ceiling`;
// with neither, 128 kb/s for sound and 2 Mb/s for video. Sources: RFC 3551 (table 4, 5 and section 4.5), RFC
// 4867, RFC 3952, RFC 7587, RFC 5574, RFC 4733, RFC 2198.
#pragma once

#include "ctl/sdp/session.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace stem::sdp {

inline constexpr std::uint32_t unknown_audio_bps = 128'000; // bits per second, at IP level
inline constexpr std::uint32_t unknown_video_bps = 2'000'000;
inline constexpr std::uint32_t rate_ceiling_bps = 20'000'000; // however large b= is
inline constexpr std::uint32_t margin_percent = 25;           // on top of bytes and packets
inline constexpr std::uint32_t usual_packet_ms = 10;          // senders may go down to this, unasked
inline constexpr std::uint32_t smallest_packet_ms = 5;        // if a=ptime asks for it
inline constexpr std::uint32_t largest_packet_ms = 60;        // unless a=maxptime or a=ptime says more
inline constexpr std::uint32_t longest_packet_ms = 200;       // whatever they say (RFC 3551 4.2)
inline constexpr std::uint16_t largest_payload = 1472;        // UDP payload of an Ethernet frame over IPv4

inline constexpr int no_static_type = -1;

struct Codec {
    std::string_view encoding; // as in a=rtpmap, upper case
    int payload_type;          // RFC 3551's static one, or no_static_type
    std::uint32_t clock_rate;  // Hz; 0 = any
    std::uint32_t octets;      // of payload in a frame, at the codec's largest rate
    std::uint32_t frame_us;    // what a frame lasts, microseconds; samples are frames of 1 ms or less
    std::uint32_t header = 0;  // octets that each packet has besides
};

// RFC 3551's entry for a payload type below 96 that has no a=rtpmap.
const Codec* static_codec(std::uint8_t payload_type) noexcept;

// The entry by name and clock rate; by name alone where no clock fits.
const Codec* find_codec(std::string_view encoding, std::uint32_t clock_rate) noexcept;

// What one payload type may send.
struct Load {
    std::uint32_t frame_us = 0; // smallest step of a packet's length
    std::uint32_t octets_per_frame = 0;
    std::uint32_t header = 0;
};

// Nothing where the table does not know the codec.
std::optional<Load> load_of(const Format& format) noexcept;

// The value of "name=value" in an a=fmtp list of such pairs; "" where it is not there.
std::string_view format_parameter(std::string_view parameters, std::string_view name) noexcept;

} // namespace stem::sdp
