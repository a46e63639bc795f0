// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/sip_streams.h"

#include <net/ethernet.h>
#include <spdlog/spdlog.h>

#include <array>

#include "ctl/frame/octets.h"
#include "ctl/kernel/clock.h"
#include "ctl/stemd/stream_carrier.h"

namespace stem::stemd {
namespace {

stem_port port_of(stem_direction end) {
    return end == STEM_INBOUND ? STEM_PORT_EXTERNAL : STEM_PORT_INTERNAL;
}

tcp::Segment segment_of(const frame::TcpView& view, frame::Bytes frame) {
    const frame::Bytes payload = view.payload_of(frame);
    return {.sequence = view.sequence,
            .acknowledgment = view.acknowledgment,
            .flags = view.flags,
            .window = view.window,
            .options = tcp::read_options(view.options_of(frame)),
            .payload = {reinterpret_cast<const char*>(payload.data()), payload.size()}};
}

// For a packet that goes through the kernel's stack: only the type is looked at.
frame::LinkHeader without_addresses(bool v4) {
    frame::LinkHeader header;
    header.length = frame::ethernet_header;
    frame::write16(header.octets, frame::ethernet_header - 2, v4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
    return header;
}

tcp::Settings with_mtu(tcp::Settings settings, const Links& links) {
    for (const stem_direction end : {STEM_INBOUND, STEM_OUTBOUND}) {
        settings.mtu[end] = links.mtu(port_of(end));
    }
    return settings;
}

} // namespace

SipStreams::SipStreams(const tcp::Settings& settings, Links& links, const VerdictCounters& counters,
                       DropLog& log, tcp::Places& places, kernel::ThresholdMap thresholds)
    : links_(links), counters_(counters), log_(log), thresholds_(std::move(thresholds)),
      table_(with_mtu(settings, links), *this, *this, places) {
    read_rates();
}

void SipStreams::take(stem_direction direction, const frame::TcpView& view, frame::Bytes frame,
                      const Steered& steered, std::uint64_t now_ns) noexcept {
    if (!frame::tcp_checksum_is_good(view, frame)) {
        counters_.add(STEM_TCP_CHECKSUM, direction, frame.size());
        return;
    }
    const tcp::Arrival arrival{.direction = direction,
                               .source = view.source,
                               .destination = view.destination,
                               .segment = segment_of(view, frame),
                               .path = {.link = frame::LinkHeader::of(view, frame),
                                        .direct = steered.ready,
                                        .ttl = view.ttl,
                                        .traffic_class = view.traffic_class},
                               .known = steered.lane == STEM_LANE_KNOWN,
                               .may_resume = !steered.from_proxy,
                               .proxy = steered.proxy};
    const stem_reason reason = table_.receive(arrival, now_ns);
    counters_.add(reason, direction, frame.size());
    if (reason == STEM_TCP_LIMIT || reason == STEM_PROXY_REFUSED) {
        log_.write(reason, direction, view.source, view.destination, "a connection was refused");
    }
}

void SipStreams::send(const tcp::Outgoing& outgoing) noexcept {
    const tcp::Segment& segment = outgoing.segment;
    const stem_port port = port_of(outgoing.to);
    const bool v4 = outgoing.source.address.is_v4();
    const bool routed = links_.routes() && (outgoing.path == nullptr || !outgoing.path->direct);
    frame::LinkHeader link = without_addresses(v4);
    if (!routed && outgoing.path != nullptr) {
        link = outgoing.path->link;
    } else if (!routed && outgoing.back != nullptr) {
        link = outgoing.back->link.reversed();
    }
    Links::Failure failure = "no frame is free";
    if (xsk::Frame frame = links_.allocate()) {
        const std::size_t length = frame::make_tcp(
            link,
            {.source = outgoing.source,
             .destination = outgoing.destination,
             .sequence = segment.sequence,
             .acknowledgment = segment.acknowledgment,
             .flags = segment.flags,
             .window = segment.window,
             .options = outgoing.options.octets(),
             .payload = segment.payload,
             .ttl = outgoing.path != nullptr ? outgoing.path->ttl : std::uint8_t{64},
             .traffic_class = outgoing.path != nullptr ? outgoing.path->traffic_class : std::uint8_t{0}},
            frame.buffer());
        if (length == 0 || !frame.resize(length)) {
            failure = "no room in its frame";
        } else {
            failure = routed ? links_.route(frame) : links_.transmit(frame, port);
        }
    }
    if (failure) { // it is repeated, as any segment that is lost
        const auto direction = tcp::other(outgoing.to);
        counters_.add(STEM_RELEASE_FAILED, direction, 0);
        log_.write(STEM_RELEASE_FAILED, direction, outgoing.source, outgoing.destination, *failure);
    }
}

std::uint64_t SipStreams::delay(const Endpoint& source, std::string_view text, bool known,
                                std::uint64_t now_ns) noexcept {
    return budget_.delay(source.address, text, known, now_ns);
}

void SipStreams::read(tcp::Message message, std::uint64_t now_ns) noexcept {
    call::Packet packet{.direction = message.direction,
                        .source = message.source,
                        .destination = message.destination,
                        .payload = {},
                        .carrier = {},
                        .lane = message.known ? STEM_LANE_KNOWN : STEM_LANE_UNKNOWN,
                        .transport = call::Transport::tcp};
    auto carrier = std::make_unique<StreamCarrier>(std::move(message), table_, counters_);
    packet.payload = carrier->message().text;
    packet.carrier = std::move(carrier);
    parsers_->receive(std::move(packet), *egress_, now_ns);
}

void SipStreams::ended(stem_direction direction, const Endpoint& source, const Endpoint& destination,
                       stem_reason reason, std::string_view what) noexcept {
    counters_.add(reason, direction, 0);
    log_.write(reason, direction, source, destination, what);
}

void SipStreams::look_around(std::uint64_t now_ns) {
    read_rates();
    budget_.expire(now_ns);
}

void SipStreams::read_rates() {
    const auto thresholds = thresholds_.get(0);
    if (!thresholds || !*thresholds) {
        spdlog::error("{}", thresholds ? "the thresholds map is empty" : thresholds.error().message());
        return;
    }
    const stem_thresholds& limits = **thresholds;
    tcp::MessageRates rates{
        .per_second = {}, .interval_ms = limits.sip_interval, .known_factor = limits.sip_trunk_factor};
    rates.per_second[STEM_SIP_KIND_INVITE] = limits.sip_invites;
    rates.per_second[STEM_SIP_KIND_REGISTER] = limits.sip_registers;
    rates.per_second[STEM_SIP_KIND_OPTIONS] = limits.sip_options;
    rates.per_second[STEM_SIP_KIND_REQUEST] = limits.sip_requests;
    rates.per_second[STEM_SIP_KIND_RESPONSE] = limits.sip_responses;
    budget_.set(rates);
}

} // namespace stem::stemd
