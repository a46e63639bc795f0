// SPDX-License-Identifier: Apache-2.0
// The signalling path: AF_XDP sockets, the call monitor behind them, and the ways out. One thread.
#pragma once

#include <stem/error.h>

#include <ctl/xsk/ports.h>
#include <stem/abi/signalling.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ctl/call/monitor.h"
#include "ctl/config/config.h"
#include "ctl/parser/parsers.h"
#include "ctl/stemd/attachment.h"
#include "ctl/stemd/drop_log.h"
#include "ctl/stemd/kernel_stores.h"
#include "ctl/stemd/lane_queue.h"
#include "ctl/stemd/links.h"
#include "ctl/stemd/message_egress.h"
#include "ctl/stemd/proxy_view.h"
#include "ctl/stemd/sip_fragments.h"
#include "ctl/stemd/sip_streams.h"
#include "ctl/stemd/stream_egress.h"
#include "ctl/stemd/xsk_egress.h"

namespace stem::stemd {

struct LaneCounts {
    std::array<std::uint64_t, STEM_LANES> received{}; // frames, by enum stem_sip_lane
    std::uint64_t displaced = 0;                      // unknown ones that had waited for too long
    std::size_t waiting = 0;
};

class Signalling {
  public:
    // Opens the sockets, takes over what an earlier stemd left, and from then on has the data plane steer
    // here. `attachment`, `sm` and `observer` must outlive it.
    static Result<std::unique_ptr<Signalling>> open(Attachment& attachment, const config::Config& config,
                                                    sm::Link& sm, call::Observer& observer);
    Signalling(const Signalling&) = delete;
    Signalling& operator=(const Signalling&) = delete;

    // Readable when receive() has something to do; they stay ours.
    [[nodiscard]] std::vector<int> descriptors() const { return ports_->descriptors(); }
    // Takes in what waits, known peers first, within bounds: what is left in the rings makes the descriptors
    // readable again. True: some of the unknown still wait, and want another turn.
    bool receive() noexcept;
    // Every 20 ms or so.
    void tick();
    // Has the data plane steer nothing here any more, and finishes what it steered already.
    void stop() noexcept;

    // Every second: finds what notices of the data plane were lost.
    void look_around();

    [[nodiscard]] call::Monitor& monitor() noexcept { return *monitor_; }
    [[nodiscard]] const xsk::Ports& ports() const noexcept { return *ports_; }
    [[nodiscard]] tcp::Table& connections() noexcept { return streams_.table(); }
    [[nodiscard]] DropLog& drop_log() noexcept { return drop_log_; }
    [[nodiscard]] LaneCounts lanes() const noexcept;
    [[nodiscard]] const fragment::Reassembly& fragments() const noexcept { return fragments_.reassembly(); }

  private:
    struct Parts { // that have to be opened, and may refuse
        std::unique_ptr<xsk::Ports> ports;
        Links::Setup links;
        ProxyView proxy;
        kernel::ThresholdMap thresholds;
        std::vector<std::uint16_t> sip_ports;
    };
    Signalling(Attachment& attachment, Parts parts, const config::Config& config, sm::Link& sm,
               call::Observer& observer);
    void sort(xsk::Received& received, std::uint64_t now_ns) noexcept;
    void take(xsk::Received& received, stem_sip_lane lane, std::uint64_t now_ns) noexcept;
    void take_datagram(xsk::Received& received, const frame::FrameView& view, stem_sip_lane lane,
                       std::uint64_t now_ns) noexcept;
    void take_segment(const xsk::Received& received, const frame::TcpView& view, stem_sip_lane lane,
                      std::uint64_t now_ns) noexcept;
    void load_parsers(const config::Config& config, const call::Settings& media);
    void give_whole(std::unique_ptr<FrameCarrier> carrier, bool proxied, stem_sip_lane lane,
                    std::uint64_t now_ns);
    void take_fragment(xsk::Received& received, const frame::FrameView& view, stem_sip_lane lane,
                       std::uint64_t now_ns) noexcept;
    [[nodiscard]] bool is_ready(const xsk::Received& received) const noexcept;
    bool receive_once() noexcept;
    bool serve_unknown(std::size_t most) noexcept;

    const VerdictCounters& counters_;
    bool bridge_;
    DropLog drop_log_;
    KernelFlows flows_;
    kernel::NoticeStream notices_;
    KernelRecords records_;
    KernelPlaces places_;
    std::unique_ptr<xsk::Ports> ports_;
    Links links_;
    XskEgress datagrams_;
    StreamEgress stream_egress_;
    MessageEgress egress_;
    SipStreams streams_;
    SipFragments fragments_;           // after the ports: it holds their frames
    LaneQueue<xsk::Received> unknown_; // after the ports, too
    LaneCounts lane_counts_;
    ProxyView proxy_;
    unsigned looks_ = 0;
    std::unique_ptr<call::Monitor> monitor_; // after ports and streams: it may hold what is theirs
    parser::Parsers parsers_;
};

} // namespace stem::stemd
