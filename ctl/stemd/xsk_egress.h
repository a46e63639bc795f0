// SPDX-License-Identifier: Apache-2.0
// The ways out for steered frames.
//
// A frame that the data plane made ready leaves by the other port, without a copy. Else (router mode, where
// the fast path had no next hop) its IP packet goes through the kernel's stack.
//
// Replies. On a bridge the sender is on the link that its frame came by: link addresses are swapped. A
// router's data plane may have overwritten the frame's link addresses with the next hop's already, so a reply
// goes through the stack, which knows the way back.
#pragma once

#include <stem/abi/meta.h>

#include <ctl/frame/inject.h>
#include <ctl/xsk/ports.h>

#include <array>
#include <optional>

#include "ctl/call/packet.h"
#include "ctl/stemd/drop_log.h"
#include "ctl/stemd/frame_carrier.h"

namespace stem::stemd {

class XskEgress final : public call::Egress {
  public:
    struct Setup {
        stem_mode mode = STEM_MODE_BRIDGE;
        std::array<std::size_t, STEM_PORTS> mtu{};  // octets of an IP packet, of each port
        std::optional<frame::RawInjector> injector; // router mode
    };
    // All must outlive it.
    XskEgress(Setup setup, xsk::Ports& ports, const VerdictCounters& counters, DropLog& log)
        : setup_(std::move(setup)), ports_(ports), counters_(counters), log_(log) {}

    void release(call::Packet packet) noexcept override;
    void release_rewritten(call::Packet packet, sip::Span span, std::string_view uri) noexcept override;
    void reply(const call::Packet& to, std::string_view message) noexcept override;
    void drop(call::Packet packet, stem_reason reason, std::string_view what) noexcept override;
    void count(stem_reason reason, stem_direction direction) noexcept override;

  private:
    // Nothing: it has left. Else why not.
    using Failure = std::optional<std::string_view>;

    void forward(const call::Packet& packet, stem_reason reason) noexcept;
    Failure transmit(xsk::Frame& frame, stem_port port) noexcept;
    Failure route(xsk::Frame& frame) noexcept;

    Setup setup_;
    xsk::Ports& ports_;
    const VerdictCounters& counters_;
    DropLog& log_;
};

} // namespace stem::stemd
