// SPDX-License-Identifier: Apache-2.0
// SIP as a protocol parser: the call monitor.
#pragma once

#include <utility>

#include "ctl/call/monitor.h"
#include "ctl/parser/protocol_parser.h"

namespace stem::parser {

class SipParser final : public ProtocolParser {
  public:
    // `monitor` must outlive it.
    explicit SipParser(call::Monitor& monitor) : monitor_(monitor) {}

    [[nodiscard]] std::string_view name() const noexcept override { return "sip"; }
    void receive(call::Packet packet, std::uint64_t now_ns) override {
        monitor_.receive(std::move(packet), now_ns);
    }
    void tick(std::uint64_t now_ns) override { monitor_.tick(now_ns); }

  private:
    call::Monitor& monitor_;
};

} // namespace stem::parser
