// SPDX-License-Identifier: Apache-2.0
// The signalling path: AF_XDP sockets, the call monitor behind them, and the ways out. One thread.
#pragma once

#include <stem/error.h>

#include <ctl/xsk/ports.h>

#include <cstdint>
#include <memory>
#include <span>

#include "ctl/call/monitor.h"
#include "ctl/config/config.h"
#include "ctl/stemd/attachment.h"
#include "ctl/stemd/drop_log.h"
#include "ctl/stemd/kernel_stores.h"
#include "ctl/stemd/proxy_view.h"
#include "ctl/stemd/xsk_egress.h"

namespace stem::stemd {

class Signalling {
  public:
    // Opens the sockets, takes over what an earlier stemd left, and from then on has the data plane steer
    // here. `attachment` and `sm` must outlive it.
    static Result<std::unique_ptr<Signalling>> open(Attachment& attachment, const config::Config& config,
                                                    sm::Link& sm);
    Signalling(const Signalling&) = delete;
    Signalling& operator=(const Signalling&) = delete;

    // Readable when receive() has something to do; they stay ours.
    [[nodiscard]] std::vector<int> descriptors() const { return ports_->descriptors(); }
    // Takes in what waits, within bounds: what is left makes the descriptors readable again.
    void receive() noexcept;
    // Every 20 ms or so.
    void tick();
    // Has the data plane steer nothing here any more, and finishes what it steered already.
    void stop() noexcept;

    // Every second: finds what notices of the data plane were lost.
    void look_around();

    [[nodiscard]] call::Monitor& monitor() noexcept { return *monitor_; }
    [[nodiscard]] const xsk::Ports& ports() const noexcept { return *ports_; }
    [[nodiscard]] DropLog& drop_log() noexcept { return drop_log_; }

  private:
    Signalling(Attachment& attachment, std::unique_ptr<xsk::Ports> ports, XskEgress::Setup setup,
               ProxyView proxy, const config::Config& config, sm::Link& sm);
    void take(xsk::Received& received, std::uint64_t now_ns) noexcept;
    bool receive_once() noexcept;

    const VerdictCounters& counters_;
    bool bridge_;
    DropLog drop_log_;
    KernelFlows flows_;
    kernel::NoticeStream notices_;
    KernelRecords records_;
    std::unique_ptr<xsk::Ports> ports_;
    XskEgress egress_;
    ProxyView proxy_;
    unsigned looks_ = 0;
    std::unique_ptr<call::Monitor> monitor_; // after the ports: it may hold their frames
};

} // namespace stem::stemd
