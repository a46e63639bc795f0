// SPDX-License-Identifier: Apache-2.0
// A SIP message of a TCP stream on its way through the call monitor. Its stream is told exactly once what
// became of it: by the Egress that settles it, or, if nobody did, by its end.
#pragma once

#include <ctl/tcp/table.h>

#include <string>
#include <utility>

#include "ctl/call/packet.h"
#include "ctl/kernel/clock.h"
#include "ctl/stemd/verdict_counters.h"

namespace stem::stemd {

class StreamCarrier final : public call::Carrier {
  public:
    // `table` and `counters` must outlive it.
    StreamCarrier(tcp::Message message, tcp::Table& table, const VerdictCounters& counters)
        : message_(std::move(message)), table_(table), counters_(counters) {}
    ~StreamCarrier() override {
        if (!settled_) {
            settle(STEM_CONTROLLER_AWAY);
        }
    }

    [[nodiscard]] const tcp::Message& message() const noexcept { return message_; }

    // `octets`, in the message's place or back to its sender. False: the connection is over.
    bool write(stem_direction direction, std::string_view octets) {
        return table_.write(message_.connection, direction, octets, kernel::monotonic_ns());
    }
    void settle(stem_reason reason) noexcept {
        settled_ = true;
        counters_.add(reason, message_.direction, message_.text.size());
        table_.settle(message_.connection, message_.direction, message_.text.size(),
                      stem_kind_of(reason) == STEM_KIND_RELEASE, kernel::monotonic_ns());
    }

  private:
    tcp::Message message_;
    tcp::Table& table_;
    const VerdictCounters& counters_;
    bool settled_ = false;
};

} // namespace stem::stemd
