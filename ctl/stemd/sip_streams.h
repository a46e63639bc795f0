// SPDX-License-Identifier: Apache-2.0
// SIP over TCP in stemd: steered segments go into the table of connections, their messages to the
// protocol parsers, and what the table sends out to the links.
#pragma once

#include <ctl/tcp/budget.h>
#include <ctl/tcp/table.h>
#include <ctl/xsk/socket.h>

#include <optional>

#include "ctl/call/packet.h"
#include "ctl/kernel/instance.h"
#include "ctl/parser/parsers.h"
#include "ctl/stemd/drop_log.h"
#include "ctl/stemd/links.h"
#include "ctl/stemd/verdict_counters.h"

namespace stem::stemd {

class SipStreams final : public tcp::Wire, public tcp::Reader {
  public:
    // All must outlive it. `thresholds`: where the budgets of messages come from.
    SipStreams(const tcp::Settings& settings, Links& links, const VerdictCounters& counters, DropLog& log,
               tcp::Places& places, kernel::ThresholdMap thresholds);

    // Before the first segment. What nobody is loaded for is dropped at `egress`.
    void read_with(const parser::Parsers& parsers, call::Egress& egress) noexcept {
        parsers_ = &parsers;
        egress_ = &egress;
    }

    struct Steered {
        stem_sip_lane lane = STEM_LANE_UNKNOWN;
        bool ready = false;            // STEM_STEER_READY
        std::optional<Endpoint> proxy; // it was made ready to leave for the SIP proxy
        bool from_proxy = false;       // the SIP proxy sent it
    };
    // A frame with TCP in it. Counts what became of it.
    void take(stem_direction direction, const frame::TcpView& view, frame::Bytes frame,
              const Steered& steered, std::uint64_t now_ns) noexcept;
    void tick(std::uint64_t now_ns) { table_.tick(now_ns); }
    void look_around(std::uint64_t now_ns); // every second
    void leave(std::uint64_t now_ns) { table_.leave(now_ns); }

    [[nodiscard]] tcp::Table& table() noexcept { return table_; }
    [[nodiscard]] const tcp::Table& table() const noexcept { return table_; }

    // tcp::Wire
    void send(const tcp::Outgoing& outgoing) noexcept override;
    // tcp::Reader
    std::uint64_t delay(const Endpoint& source, std::string_view text, bool known,
                        std::uint64_t now_ns) noexcept override;
    void read(tcp::Message message, std::uint64_t now_ns) noexcept override;
    void ended(stem_direction direction, const Endpoint& source, const Endpoint& destination,
               stem_reason reason, std::string_view what) noexcept override;

  private:
    void read_rates();

    Links& links_;
    const VerdictCounters& counters_;
    DropLog& log_;
    kernel::ThresholdMap thresholds_;
    tcp::MessageBudget budget_;
    tcp::Table table_;
    const parser::Parsers* parsers_ = nullptr;
    call::Egress* egress_ = nullptr;
};

} // namespace stem::stemd
