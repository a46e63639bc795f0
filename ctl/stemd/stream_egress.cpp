// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/stream_egress.h"

namespace stem::stemd {
namespace {

// Every packet over TCP that the monitor has came from us.
StreamCarrier& carrier_of(const call::Packet& packet) {
    return static_cast<StreamCarrier&>(*packet.carrier);
}

stem_direction back(stem_direction direction) {
    return direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
}

constexpr std::string_view is_over = "its connection is over";

} // namespace

void StreamEgress::forward(const call::Packet& packet, std::string_view text, stem_reason reason) noexcept {
    StreamCarrier& carrier = carrier_of(packet);
    const bool written = carrier.write(packet.direction, text);
    carrier.settle(written ? reason : STEM_RELEASE_FAILED);
    if (!written) {
        log_.write(STEM_RELEASE_FAILED, packet.direction, packet.source, packet.destination, is_over);
    }
}

void StreamEgress::release(call::Packet packet) noexcept {
    forward(packet, packet.payload, STEM_SIP_RELEASED);
}

void StreamEgress::release_rewritten(call::Packet packet, sip::Span span, std::string_view uri) noexcept {
    std::string text(packet.payload);
    text.replace(span.offset, span.length, uri);
    forward(packet, text, STEM_SIP_REWRITTEN);
}

void StreamEgress::reply(const call::Packet& to, std::string_view message) noexcept {
    if (!carrier_of(to).write(back(to.direction), message)) {
        count(STEM_RELEASE_FAILED, back(to.direction));
        log_.write(STEM_RELEASE_FAILED, back(to.direction), to.destination, to.source, is_over);
    }
}

void StreamEgress::drop(call::Packet packet, stem_reason reason, std::string_view what) noexcept {
    carrier_of(packet).settle(reason);
    log_.write(reason, packet.direction, packet.source, packet.destination, what);
}

void StreamEgress::release_monitored(call::Packet packet, stem_reason reason,
                                     std::string_view what) noexcept {
    log_.write_monitored(reason, packet.direction,
                         packet.source.to_string() + " -> " + packet.destination.to_string(), what);
    monitored_.add(reason, packet.direction, packet.payload.size());
    forward(packet, packet.payload, STEM_SIP_MONITORED);
}

void StreamEgress::note_monitored(stem_reason reason, stem_direction direction,
                                  std::string_view what) noexcept {
    log_.write_monitored(reason, direction, "a call that went on", what);
    monitored_.add(reason, direction, 0);
}

void StreamEgress::count(stem_reason reason, stem_direction direction) noexcept {
    counters_.add(reason, direction, 0);
}

} // namespace stem::stemd
