// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/xsk_egress.h"

#include <ctl/frame/build.h>
#include <ctl/frame/fragments.h>

#include <algorithm>
#include <string>
#include <vector>

namespace stem::stemd {
namespace {

// Every packet that the monitor has came from us.
FrameCarrier& carrier_of(const call::Packet& packet) {
    return static_cast<FrameCarrier&>(*packet.carrier);
}

frame::Bytes octets(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

} // namespace

XskEgress::Failure XskEgress::send(const FrameCarrier& carrier, xsk::Frame& frame) noexcept {
    return carrier.ready() ? links_.transmit(frame, other_port(carrier.port())) : links_.route(frame);
}

// What came in fragments leaves anew, in as many as it takes now, and with the address that it is to have.
XskEgress::Failure XskEgress::refragment(FrameCarrier& carrier, std::string_view payload) noexcept {
    frame::FrameView view = carrier.view();
    if (const auto& change = carrier.change(); change) {
        if (change->endpoint.address.is_v4() != view.v4) {
            return "its address cannot be changed";
        }
        (change->end == frame::End::source ? view.source : view.destination) = change->endpoint;
    }
    const auto made = frame::make_datagram(view, carrier.frame().bytes(), octets(payload), carrier.rest().id,
                                           links_.mtu(other_port(carrier.port())));
    if (!made) {
        return to_string(made.error());
    }
    std::vector<xsk::Frame> frames;
    for (const auto& bytes : *made) {
        xsk::Frame& frame = frames.emplace_back(links_.allocate());
        if (!frame || !frame.resize(bytes.size())) {
            return "no frame is free";
        }
        std::ranges::copy(bytes, frame.bytes().begin());
    }
    for (xsk::Frame& frame : frames) {
        if (auto failure = send(carrier, frame)) {
            return failure;
        }
    }
    return std::nullopt;
}

void XskEgress::release_refragmented(const call::Packet& packet, std::string_view payload,
                                     stem_reason reason) noexcept {
    FrameCarrier& carrier = carrier_of(packet);
    const auto failure = refragment(carrier, payload);
    carrier.settle(failure ? STEM_RELEASE_FAILED : reason);
    if (failure) {
        log_.write(STEM_RELEASE_FAILED, packet.direction, packet.source, packet.destination, *failure);
    }
}

// An INVITE that just fitted, and has a longer request URI now.
void XskEgress::release_in_fragments(const call::Packet& packet, sip::Span span,
                                     std::string_view uri) noexcept {
    FrameCarrier& carrier = carrier_of(packet);
    std::string text(packet.payload);
    text.replace(span.offset, span.length, uri);
    carrier.rest().id = static_cast<std::uint32_t>(fragment_ids_());
    release_refragmented(packet, text, STEM_SIP_REWRITTEN);
}

void XskEgress::forward(const call::Packet& packet, stem_reason reason) noexcept {
    FrameCarrier& carrier = carrier_of(packet);
    if (carrier.in_fragments() && carrier.change()) {
        release_refragmented(packet, packet.payload, reason);
        return;
    }
    const std::size_t length = carrier.frame().bytes().size();
    Failure failure = "its address cannot be changed";
    const auto& change = carrier.change();
    if (!change || frame::readdress(carrier.view(), carrier.frame().bytes(), change->end, change->endpoint)) {
        failure = send(carrier, carrier.frame());
        for (xsk::Frame& frame : carrier.rest().frames) {
            failure = failure ? failure : send(carrier, frame);
        }
    }
    carrier.settle(failure ? STEM_RELEASE_FAILED : reason, length);
    if (failure) {
        log_.write(STEM_RELEASE_FAILED, packet.direction, packet.source, packet.destination, *failure);
    }
}

void XskEgress::release(call::Packet packet) noexcept {
    forward(packet, STEM_SIP_RELEASED);
}

void XskEgress::release_rewritten(call::Packet packet, sip::Span span, std::string_view uri) noexcept {
    FrameCarrier& carrier = carrier_of(packet);
    if (carrier.in_fragments()) {
        std::string text(packet.payload);
        release_refragmented(packet, text.replace(span.offset, span.length, uri), STEM_SIP_REWRITTEN);
        return;
    }
    const auto length =
        frame::replace_payload(carrier.view(), carrier.frame().buffer(), {span.offset, span.length},
                               octets(uri), links_.mtu(other_port(carrier.port())));
    if (!length && length.error() == frame::BuildError::over_mtu) {
        release_in_fragments(packet, span, uri);
        return;
    }
    if (!length || !carrier.frame().resize(*length)) {
        const auto why = length ? std::string_view("no room in its frame") : to_string(length.error());
        carrier.settle(STEM_RELEASE_FAILED);
        log_.write(STEM_RELEASE_FAILED, packet.direction, packet.source, packet.destination, why);
        return;
    }
    forward(packet, STEM_SIP_REWRITTEN);
}

void XskEgress::reply(const call::Packet& to, std::string_view message) noexcept {
    const FrameCarrier& carrier = carrier_of(to);
    const auto back = to.direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
    Failure failure = "no frame is free";
    if (xsk::Frame frame = links_.allocate()) {
        const auto length = frame::make_reply(carrier.view(), carrier.frame().bytes(), octets(message),
                                              frame.buffer(), links_.mtu(carrier.port()));
        if (!length || !frame.resize(*length)) {
            failure = length ? std::string_view("no room in its frame") : to_string(length.error());
        } else {
            failure = links_.routes() ? links_.route(frame) : links_.transmit(frame, carrier.port());
        }
    }
    if (failure) {
        count(STEM_RELEASE_FAILED, back);
        log_.write(STEM_RELEASE_FAILED, back, to.destination, to.source, *failure);
    }
}

void XskEgress::drop(call::Packet packet, stem_reason reason, std::string_view what) noexcept {
    carrier_of(packet).settle(reason);
    log_.write(reason, packet.direction, packet.source, packet.destination, what);
}

void XskEgress::release_monitored(call::Packet packet, stem_reason reason, std::string_view what) noexcept {
    log_.write_monitored(reason, packet.direction,
                         packet.source.to_string() + " -> " + packet.destination.to_string(), what);
    monitored_.add(reason, packet.direction, carrier_of(packet).frame().bytes().size());
    forward(packet, STEM_SIP_MONITORED);
}

void XskEgress::note_monitored(stem_reason reason, stem_direction direction, std::string_view what) noexcept {
    log_.write_monitored(reason, direction, "a call that went on", what);
    monitored_.add(reason, direction, 0);
}

void XskEgress::count(stem_reason reason, stem_direction direction) noexcept {
    counters_.add(reason, direction, 0);
}

} // namespace stem::stemd
