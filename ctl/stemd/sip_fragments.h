// SPDX-License-Identifier: Apache-2.0
// Fragments of SIP on their way to the call monitor: held until they are a datagram, which then goes as one
// carrier. Each frame is counted once: with its datagram, or here.
#pragma once

#include <ctl/fragment/reassembly.h>
#include <ctl/frame/view.h>
#include <ctl/xsk/socket.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "ctl/stemd/drop_log.h"
#include "ctl/stemd/frame_carrier.h"
#include "ctl/stemd/verdict_counters.h"

namespace stem::stemd {

class SipFragments {
  public:
    // Both must outlive it.
    SipFragments(const fragment::Limits& limits, const VerdictCounters& counters, DropLog& log)
        : reassembly_(limits), counters_(counters), log_(log) {}

    // Takes the frame in; gives the whole once its last fragment has come, else nothing. `ready`: as in
    // FrameCarrier; `proxied`: as in ProxyView.
    std::unique_ptr<FrameCarrier> take(xsk::Frame frame, const frame::FrameView& view, stem_port port,
                                       bool ready, bool proxied, std::uint64_t now_ns);
    // Gives up those whose time is up.
    void tick(std::uint64_t now_ns);
    // Gives up all.
    void leave();

    [[nodiscard]] const fragment::Reassembly& reassembly() const noexcept { return reassembly_; }

  private:
    void drop(const std::vector<fragment::Piece>& pieces, stem_reason reason, std::string_view what);
    std::unique_ptr<FrameCarrier> put_together(const std::vector<fragment::Piece>& pieces);

    fragment::Reassembly reassembly_;
    const VerdictCounters& counters_;
    DropLog& log_;
};

} // namespace stem::stemd
