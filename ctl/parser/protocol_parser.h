// SPDX-License-Identifier: Apache-2.0
// A protocol of signalling that stemd follows: messages in, and for each of them a verdict; pinholes for what
// they negotiate. SIP is the first (sip_parser.h), MGCP the second (ctl/mgcp). [parsers] in the configuration
// says which are loaded.
#pragma once

#include <cstdint>
#include <string_view>

#include "ctl/call/packet.h"

namespace stem::parser {

class ProtocolParser {
  public:
    ProtocolParser() = default;
    virtual ~ProtocolParser() = default;
    ProtocolParser(const ProtocolParser&) = delete;
    ProtocolParser& operator=(const ProtocolParser&) = delete;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0; // "sip"
    // Judges one datagram, and settles it by the egress that the parser was made with: now, or later if it
    // holds it. Whatever it negotiates is open when it leaves.
    virtual void receive(call::Packet packet, std::uint64_t now_ns) = 0;
    // Every 20 ms or so.
    virtual void tick(std::uint64_t now_ns) = 0;
};

} // namespace stem::parser
