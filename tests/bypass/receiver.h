// SPDX-License-Identifier: Apache-2.0
// What a host gets out of a frame: written from the RFCs and from how receivers are known to differ, without
// a look at bpf/parse.h, so that the two can be held against each other. Where hosts differ, it takes what
// the most lenient of them takes: no checksum is asked for, no number of headers or tags is too many.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

namespace stem::test {

using Octets = std::span<const std::uint8_t>;
using HostAddress = std::array<std::uint8_t, 16>; // IPv4 as ::ffff:a.b.c.d

// One IP datagram, or a piece of one.
struct Datagram {
    int family = 0; // 4 or 6
    HostAddress src{};
    HostAddress dst{};
    std::uint8_t protocol = 0; // of the payload; of a later piece: what it says
    bool elsewhere = false;    // source routed, or with another source than the header's
    bool piece = false;
    std::uint32_t id = 0;
    std::uint32_t offset = 0; // octets
    bool more = false;
    std::vector<std::uint8_t> payload; // transport header and data; of a piece: its octets
};

// Ports of UDP and TCP, 0 for others; nothing if the transport cannot be read.
struct Ports {
    std::uint16_t src = 0;
    std::uint16_t dst = 0;
};
[[nodiscard]] std::optional<Ports> ports_of(const Datagram& datagram);

// Who a frame says is at its sender's station (ARP, neighbour discovery); nothing if it says so of nobody.
[[nodiscard]] std::optional<HostAddress> claim_of(Octets frame);

// The ids of its tags, outermost first.
[[nodiscard]] std::vector<std::uint16_t> vlans_of(Octets frame);

[[nodiscard]] bool is_arp(Octets frame);

// The datagram of a frame; nothing if no host takes it for IP.
[[nodiscard]] std::optional<Datagram> datagram_of(Octets frame);

// Puts pieces together, as hosts do: some let the first of two that overlap win, some the last.
class Reassembly {
  public:
    // What is whole now, in each way in which a host might have put it together.
    std::vector<Datagram> add(const Datagram& piece);
    void clear() { queues_.clear(); }

  private:
    // IPv6 goes without the protocol (RFC 8200 4.5).
    using Key = std::tuple<HostAddress, HostAddress, std::uint32_t, std::uint8_t>;
    std::map<Key, std::vector<Datagram>> queues_;
};

} // namespace stem::test
