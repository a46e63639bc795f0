// SPDX-License-Identifier: Apache-2.0
// What passes by in a capture: UDP datagrams, put together where they came in fragments, and the SIP messages
// of TCP streams.
//
// Read are pcap and pcapng (by libpcap) and ERF, of Ethernet, Linux's cooked form, BSD's loopback and no link
// at all; peeled are VLAN tags, PPPoE, IP in IP and GTP-U: what the captures of shared/data have. Both IP
// versions.
#pragma once

#include <stem/abi/reason.h>
#include <stem/address.h>
#include <stem/error.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace stem::call {

struct Passing {
    std::uint64_t time_ns = 0;
    Endpoint source;
    Endpoint destination;
    bool tcp = false;
    std::string payload; // the datagram's, or one message of a TCP stream

    // By how it starts, on any port; and on SIP's own whatever it looks like, but for the keep-alives that
    // the data plane forwards.
    [[nodiscard]] bool is_sip() const;
};

// As it would be on a link of its own: Ethernet, and the innermost IP packet.
struct CapturedFrame {
    std::uint64_t time_ns = 0;
    std::vector<std::uint8_t> octets;
};

struct CaptureFile {
    std::vector<Passing> passing;
    std::vector<stem_reason> broken; // why streams of TCP ended: where the product's framer saw no SIP
};

Result<std::vector<CapturedFrame>> read_frames(const std::filesystem::path& path);
Result<CaptureFile> read_capture(const std::filesystem::path& path);

// Where the captures are; they may not be.
std::filesystem::path captures();

} // namespace stem::call
