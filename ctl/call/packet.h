// SPDX-License-Identifier: Apache-2.0
// A SIP message while its fate is open, and what can be done with it.
#pragma once

#include <stem/abi/reason.h>
#include <stem/abi/signalling.h>
#include <stem/address.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "ctl/sip/message.h"

namespace stem::call {

// Owns the bytes of a packet: in stemd a UMEM frame, or a message cut from a TCP stream; in tests a string.
class Carrier {
  public:
    Carrier() = default;
    virtual ~Carrier() = default;
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;
};

enum class Transport : std::uint8_t { udp, tcp };

// Move-only: whoever holds it decides what becomes of it, and exactly once.
struct Packet {
    stem_direction direction = STEM_INBOUND;
    Endpoint source;
    Endpoint destination;
    std::string_view payload; // the SIP message, in the carrier's bytes
    std::unique_ptr<Carrier> carrier;
    stem_sip_lane lane = STEM_LANE_KNOWN; // by which it came
    Transport transport = Transport::udp; // and leaves, as does what answers it
};

// The ways out. All count the packet under the reason given.
class Egress {
  public:
    Egress() = default;
    virtual ~Egress() = default;
    Egress(const Egress&) = delete;
    Egress& operator=(const Egress&) = delete;

    // On its way, byte for byte.
    virtual void release(Packet packet) noexcept = 0;
    // On its way, with `uri` in the place of the bytes of `span` (of the payload).
    virtual void release_rewritten(Packet packet, sip::Span span, std::string_view uri) noexcept = 0;
    // A SIP message of our own, back to where `to` came from, on the same link and connection.
    virtual void reply(const Packet& to, std::string_view message) noexcept = 0;
    // Gone. `what` is for the log, which is rate-limited.
    virtual void drop(Packet packet, stem_reason reason, std::string_view what) noexcept = 0;
    // On its way although `reason` speaks against it: its peer is only monitored. Counted as what would have
    // been dropped, and logged.
    virtual void release_monitored(Packet packet, stem_reason reason, std::string_view what) noexcept = 0;
    // The same of a message that went on before that was known: a decision that came after it.
    virtual void note_monitored(stem_reason reason, stem_direction direction,
                                std::string_view what) noexcept = 0;
    // Counts something that happened to no packet of its own: a refused pinhole.
    virtual void count(stem_reason reason, stem_direction direction) noexcept = 0;
};

} // namespace stem::call
