// SPDX-License-Identifier: Apache-2.0
// The call monitor's way out: each message leaves as it came, as a datagram or in its stream.
#pragma once

#include <utility>

#include "ctl/call/packet.h"

namespace stem::stemd {

class MessageEgress final : public call::Egress {
  public:
    // Both must outlive it.
    MessageEgress(call::Egress& datagrams, call::Egress& streams)
        : datagrams_(datagrams), streams_(streams) {}

    void release(call::Packet packet) noexcept override { of(packet).release(std::move(packet)); }
    void release_rewritten(call::Packet packet, sip::Span span, std::string_view uri) noexcept override {
        of(packet).release_rewritten(std::move(packet), span, uri);
    }
    void reply(const call::Packet& to, std::string_view message) noexcept override {
        of(to).reply(to, message);
    }
    void drop(call::Packet packet, stem_reason reason, std::string_view what) noexcept override {
        of(packet).drop(std::move(packet), reason, what);
    }
    void release_monitored(call::Packet packet, stem_reason reason, std::string_view what) noexcept override {
        of(packet).release_monitored(std::move(packet), reason, what);
    }
    void note_monitored(stem_reason reason, stem_direction direction,
                        std::string_view what) noexcept override {
        datagrams_.note_monitored(reason, direction, what);
    }
    void count(stem_reason reason, stem_direction direction) noexcept override {
        datagrams_.count(reason, direction);
    }

  private:
    [[nodiscard]] call::Egress& of(const call::Packet& packet) const noexcept {
        return packet.transport == call::Transport::tcp ? streams_ : datagrams_;
    }

    call::Egress& datagrams_;
    call::Egress& streams_;
};

} // namespace stem::stemd
