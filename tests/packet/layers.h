// SPDX-License-Identifier: Apache-2.0
// The layers of a packet as tests write them. Defaults are right and come from documentation ranges (RFC
// 5737, RFC 3849, RFC 7042 2.1.2): 192.0.2.0/24 and 2001:db8:1::/48 are outside, 198.51.100.0/24 and
// 2001:db8:2::/48 inside. A field that is std::optional is computed unless a test sets it, also to something
// wrong. All numbers are in host byte order; lengths are in octets unless they say otherwise.
#pragma once

#include "bytes.h"

#include <stem/address.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stem::test {

using Mac = std::array<std::uint8_t, 6>;

// Stations of the documentation range.
constexpr Mac station(std::uint8_t last) {
    return {0x00, 0x00, 0x5e, 0x00, 0x53, last};
}

// An address that a test wrote; it must be one.
[[nodiscard]] Address ip(std::string_view text);

struct Ethernet {
    Mac dst = station(0x01);
    Mac src = station(0x02);
    std::optional<std::uint16_t> type = {};
};

struct Vlan {
    std::uint16_t id = 100;
    std::uint16_t tpid = 0x8100; // 0x88a8: provider tag
    std::uint8_t priority = 0;
    std::optional<std::uint16_t> type = {};
};

struct Arp {
    std::uint16_t hardware = 1;
    std::uint16_t protocol = 0x0800;
    std::uint8_t hardware_length = 6;
    std::uint8_t protocol_length = 4;
    std::uint16_t operation = 1; // 1 request, 2 reply
    Mac sender_station = station(0x02);
    Address sender = ip("192.0.2.10");
    Mac target_station = {};
    Address target = ip("198.51.100.10");
};

struct IPv4 {
    Address src = ip("192.0.2.10");
    Address dst = ip("198.51.100.10");
    std::uint8_t ttl = 64;
    std::uint8_t tos = 0;
    std::uint16_t id = 0x1234;
    bool dont_fragment = false;
    bool more_fragments = false;
    std::uint16_t fragment_offset = 0; // in 8 octets
    Bytes options = {};                // padded to 4 octets
    std::uint8_t version = 4;
    std::optional<std::uint8_t> header_words = {}; // IHL, in 4 octets
    std::optional<std::uint16_t> length = {};
    std::optional<std::uint8_t> protocol = {};
    std::optional<std::uint16_t> checksum = {};
};

struct IPv6 {
    Address src = ip("2001:db8:1::10");
    Address dst = ip("2001:db8:2::10");
    std::uint8_t hop_limit = 64;
    std::uint8_t traffic_class = 0;
    std::uint32_t flow_label = 0;
    std::uint8_t version = 6;
    std::optional<std::uint16_t> payload_length = {};
    std::optional<std::uint8_t> next = {};
};

// Options are padded to a whole header; `length` is in 8 octets after the first.
struct HopByHop {
    Bytes options = {};
    std::optional<std::uint8_t> length = {};
    std::optional<std::uint8_t> next = {};
};

struct DestinationOptions {
    Bytes options = {};
    std::optional<std::uint8_t> length = {};
    std::optional<std::uint8_t> next = {};
};

struct Routing {
    std::uint8_t type = 4; // segment routing
    std::uint8_t segments_left = 0;
    Bytes data = Bytes(20); // after the first four octets; 4 or 4 + a multiple of 8
    std::optional<std::uint8_t> length = {};
    std::optional<std::uint8_t> next = {};
};

struct Fragment {
    std::uint16_t offset = 0; // in 8 octets
    bool more = false;
    std::uint8_t reserved = 0;
    std::uint32_t id = 0x01020304;
    std::optional<std::uint8_t> next = {};
};

struct Authentication {
    std::uint32_t spi = 0x100;
    std::uint32_t sequence = 1;
    Bytes check_value = Bytes(12);
    std::optional<std::uint8_t> length = {}; // in 4 octets, less 2
    std::optional<std::uint8_t> next = {};
};

struct Udp {
    std::uint16_t sport = 40000;
    std::uint16_t dport = 30000;
    std::optional<std::uint16_t> length = {};
    std::optional<std::uint16_t> checksum = {};
};

struct Tcp {
    std::uint16_t sport = 40000;
    std::uint16_t dport = 443;
    std::uint32_t sequence = 1;
    std::uint32_t acknowledged = 0;
    bool syn = false;
    bool ack = false;
    bool fin = false;
    bool rst = false;
    std::uint16_t window = 65535;
    Bytes options = {};                            // padded to 4 octets
    std::optional<std::uint8_t> header_words = {}; // data offset, in 4 octets
    std::optional<std::uint16_t> checksum = {};
};

struct Icmp {
    std::uint8_t type = 8; // echo request
    std::uint8_t code = 0;
    std::uint32_t rest = 0x00010001;
    std::optional<std::uint16_t> checksum = {};
};

struct Icmpv6 {
    std::uint8_t type = 128; // echo request
    std::uint8_t code = 0;
    std::uint32_t rest = 0x00010001;
    std::optional<std::uint16_t> checksum = {};
};

// G.711 at 20 ms unless told otherwise.
struct Rtp {
    std::uint8_t version = 2;
    bool marker = false;
    std::uint8_t payload_type = 0;
    std::uint16_t sequence = 1;
    std::uint32_t timestamp = 160;
    std::uint32_t source = 0x11223344;
    std::size_t payload = 160;
};

struct Rtcp {
    std::uint8_t version = 2;
    std::uint8_t count = 0;
    std::uint8_t type = 201; // receiver report
    std::uint32_t source = 0x11223344;
    std::size_t body = 0;                     // octets after the source
    std::optional<std::uint16_t> length = {}; // in 4 octets, less 1
};

struct Stun {
    std::uint16_t type = 0x0001; // binding request
    std::uint32_t cookie = 0x2112a442;
    std::array<std::uint8_t, 12> transaction = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    Bytes attributes = {};
    std::optional<std::uint16_t> length = {};
};

// Lines without their CRLF; Content-Length is added.
struct Sip {
    std::string start_line = "OPTIONS sip:bob@example.net SIP/2.0";
    std::vector<std::string> headers = {
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK74bf9",
        "Max-Forwards: 70",
        "From: <sip:alice@example.com>;tag=9fxced76sl",
        "To: <sip:bob@example.net>",
        "Call-ID: 3848276298220188511@example.com",
        "CSeq: 1 OPTIONS",
    };
    std::string body = {};
    std::optional<std::uint32_t> content_length = {};
};

struct Payload {
    Bytes octets = {};
};

// Neighbour discovery and its kin, after the first eight octets of ICMPv6.
[[nodiscard]] Payload discovery_body(const Address& target, const Mac& source_station);

using Layer = std::variant<Ethernet, Vlan, Arp, IPv4, IPv6, HopByHop, DestinationOptions, Routing, Fragment,
                           Authentication, Udp, Tcp, Icmp, Icmpv6, Rtp, Rtcp, Stun, Sip, Payload>;

} // namespace stem::test
