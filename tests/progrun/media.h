// SPDX-License-Identifier: Apache-2.0
// Pinholes as stemd would open them.
#pragma once

#include "shape.h"

#include <stem/abi/flow.h>

namespace stem::test {

constexpr std::uint64_t milliseconds = 1'000'000;
constexpr std::uint64_t seconds = 1'000'000'000;
constexpr std::uint16_t media_sport = 40000;
constexpr std::uint16_t media_dport = 30000;

// The pinhole of a path's media, from media_sport to media_dport.
[[nodiscard]] inline stem_flow_key media_key(const Path& path) {
    stem_flow_key key{};
    key.src = path.src().raw();
    key.dst = path.dst().raw();
    key.sport = media_sport;
    key.dport = media_dport;
    key.direction = static_cast<std::uint8_t>(path.direction);
    key.protocol = 17;
    return key;
}

// G.711 mu-law and telephone events, with rates that no test reaches by chance.
[[nodiscard]] inline stem_flow wide_flow() {
    stem_flow flow{};
    flow.payload_types[0] = 1;
    flow.payload_types[1] = 1ULL << (101 - 64);
    flow.ns_per_packet = 1;
    flow.ns_per_kib = 1;
    flow.bytes_burst_ns = 10 * seconds;
    flow.packets_burst_ns = 10 * seconds;
    flow.min_payload = 12;
    flow.max_payload = 1200;
    flow.kind = STEM_FLOW_RTP;
    return flow;
}

[[nodiscard]] inline stem_flow wide_rtcp_flow() {
    stem_flow flow = wide_flow();
    flow.kind = STEM_FLOW_RTCP;
    return flow;
}

[[nodiscard]] inline Packet media(const Path& path, const Packet& payload) {
    return path / (Udp{.sport = media_sport, .dport = media_dport} / payload);
}

// Octets from the IP header on, which is what flows count.
[[nodiscard]] inline std::size_t ip_length(const Path& path, const Packet& packet) {
    return packet.bytes().size() - path.link_length();
}

} // namespace stem::test
