// SPDX-License-Identifier: Apache-2.0
// The ways out for steered datagrams.
//
// A frame that the data plane made ready leaves by the other port, without a copy. Else (router mode, where
// the fast path had no next hop) its IP packet goes through the kernel's stack.
//
// Replies. On a bridge the sender is on the link that its frame came by: link addresses are swapped. A
// router's data plane may have overwritten the frame's link addresses with the next hop's already, so a reply
// goes through the stack, which knows the way back.
#pragma once

#include <random>

#include "ctl/call/packet.h"
#include "ctl/stemd/drop_log.h"
#include "ctl/stemd/frame_carrier.h"
#include "ctl/stemd/links.h"

namespace stem::stemd {

class XskEgress final : public call::Egress {
  public:
    // All must outlive it.
    // `monitored`: what would have been dropped.
    XskEgress(Links& links, const VerdictCounters& counters, const VerdictCounters& monitored, DropLog& log)
        : links_(links), counters_(counters), monitored_(monitored), log_(log) {}

    void release(call::Packet packet) noexcept override;
    void release_rewritten(call::Packet packet, sip::Span span, std::string_view uri) noexcept override;
    void reply(const call::Packet& to, std::string_view message) noexcept override;
    void drop(call::Packet packet, stem_reason reason, std::string_view what) noexcept override;
    void release_monitored(call::Packet packet, stem_reason reason, std::string_view what) noexcept override;
    void note_monitored(stem_reason reason, stem_direction direction,
                        std::string_view what) noexcept override;
    void count(stem_reason reason, stem_direction direction) noexcept override;

  private:
    using Failure = Links::Failure;

    void forward(const call::Packet& packet, stem_reason reason) noexcept;
    Failure send(const FrameCarrier& carrier, xsk::Frame& frame) noexcept;
    Failure refragment(FrameCarrier& carrier, std::string_view payload) noexcept;
    void release_refragmented(const call::Packet& packet, std::string_view payload,
                              stem_reason reason) noexcept;
    void release_in_fragments(const call::Packet& packet, sip::Span span, std::string_view uri) noexcept;

    Links& links_;
    const VerdictCounters& counters_;
    const VerdictCounters& monitored_;
    DropLog& log_;
    std::mt19937 fragment_ids_{std::random_device{}()}; // RFC 7739 5: not to be guessed easily
};

} // namespace stem::stemd
