// SPDX-License-Identifier: Apache-2.0
// A steered frame on its way through the call monitor. Whatever becomes of it is counted exactly once: by the
// Egress that settles it, or, if nobody did (held when stemd stopped), by its end.
#pragma once

#include <stem/abi/steer.h>

#include <ctl/frame/view.h>
#include <ctl/xsk/frame.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/call/packet.h"
#include "ctl/stemd/proxy_view.h"
#include "ctl/stemd/verdict_counters.h"

namespace stem::stemd {

class FrameCarrier final : public call::Carrier {
  public:
    // `ready`: may leave by the other port as it is (STEM_STEER_READY), but for `change`.
    FrameCarrier(xsk::Frame frame, frame::FrameView view, stem_port port, bool ready,
                 const std::optional<Readdressing>& change, const VerdictCounters& counters) noexcept
        : frame_(std::move(frame)), view_(view), port_(port), ready_(ready), change_(change),
          counters_(counters) {}
    ~FrameCarrier() override {
        if (!settled_) {
            settle(STEM_CONTROLLER_AWAY);
        }
    }

    [[nodiscard]] xsk::Frame& frame() noexcept { return frame_; }
    [[nodiscard]] const xsk::Frame& frame() const noexcept { return frame_; }
    [[nodiscard]] const frame::FrameView& view() const noexcept { return view_; }
    [[nodiscard]] stem_port port() const noexcept { return port_; } // by which it came in
    [[nodiscard]] bool ready() const noexcept { return ready_; }
    [[nodiscard]] const std::optional<Readdressing>& change() const noexcept { return change_; }
    // Of a datagram that came in fragments it is known only once it is whole.
    void change_to(const std::optional<Readdressing>& change) noexcept { change_ = change; }
    // The direction's number is that of the port that the frame came in by.
    [[nodiscard]] stem_direction direction() const noexcept { return static_cast<stem_direction>(port_); }

    // The datagram came in fragments, of which the frame is the first.
    struct Rest {
        std::vector<xsk::Frame> frames; // those behind it, in order
        std::string payload;            // of the whole datagram
        std::uint32_t id = 0;           // of its fragments
        bool proxied = false;           // as the first of them was marked (STEM_STEER_PROXIED)
    };
    void join(Rest rest) {
        rest_ = std::move(rest);
        for (const xsk::Frame& frame : rest_.frames) {
            lengths_.push_back(frame.bytes().size());
        }
    }
    [[nodiscard]] bool in_fragments() const noexcept {
        return !rest_.payload.empty() || !rest_.frames.empty();
    }
    [[nodiscard]] Rest& rest() noexcept { return rest_; }
    [[nodiscard]] std::string_view payload() const noexcept {
        const frame::Bytes octets = view_.payload_of(frame_.bytes());
        return in_fragments() ? std::string_view(rest_.payload)
                              : std::string_view(reinterpret_cast<const char*>(octets.data()), octets.size());
    }

    // Counts what became of the frame. `sent`: its length, where it has left us already.
    void settle(stem_reason reason, std::size_t sent = 0) noexcept {
        counters_.add(reason, direction(), frame_ ? frame_.bytes().size() : sent);
        for (const std::size_t length : lengths_) {
            counters_.add(reason, direction(), length);
        }
        settled_ = true;
    }

  private:
    xsk::Frame frame_;
    frame::FrameView view_;
    stem_port port_;
    bool ready_;
    std::optional<Readdressing> change_; // to be made as it leaves
    Rest rest_;
    std::vector<std::size_t> lengths_; // of its frames
    bool settled_ = false;
    const VerdictCounters& counters_;
};

} // namespace stem::stemd
