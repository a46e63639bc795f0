// SPDX-License-Identifier: Apache-2.0
// The ways out for SIP messages of TCP streams: into the stream, or back into the other direction's.
#pragma once

#include "ctl/call/packet.h"
#include "ctl/stemd/drop_log.h"
#include "ctl/stemd/stream_carrier.h"

namespace stem::stemd {

class StreamEgress final : public call::Egress {
  public:
    // All must outlive it.
    // `monitored`: what would have been dropped.
    StreamEgress(const VerdictCounters& counters, const VerdictCounters& monitored, DropLog& log)
        : counters_(counters), monitored_(monitored), log_(log) {}

    void release(call::Packet packet) noexcept override;
    void release_rewritten(call::Packet packet, sip::Span span, std::string_view uri) noexcept override;
    void reply(const call::Packet& to, std::string_view message) noexcept override;
    void drop(call::Packet packet, stem_reason reason, std::string_view what) noexcept override;
    void release_monitored(call::Packet packet, stem_reason reason, std::string_view what) noexcept override;
    void note_monitored(stem_reason reason, stem_direction direction,
                        std::string_view what) noexcept override;
    void count(stem_reason reason, stem_direction direction) noexcept override;

  private:
    void forward(const call::Packet& packet, std::string_view text, stem_reason reason) noexcept;

    const VerdictCounters& counters_;
    const VerdictCounters& monitored_;
    DropLog& log_;
};

} // namespace stem::stemd
