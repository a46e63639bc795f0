// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/signalling.h"

#include <ctl/frame/checksum.h>
#include <ctl/frame/octets.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

#include "ctl/kernel/clock.h"
#include "ctl/mgcp/mgcp_parser.h"
#include "ctl/parser/sip_parser.h"
#include "ctl/stemd/mtu.h"
#include "ctl/stemd/own_addresses.h"

namespace stem::stemd {
namespace {

// Bursts of one socket (xsk::Ports::burst frames) in one turn of the event loop; then timers and the API have
// theirs.
constexpr int bursts_per_turn = 8;
constexpr unsigned looks_per_expiry = 10; // of calls that went through the proxy
// Of the unknown, in one turn: then the rings are looked at again.
constexpr std::size_t unknown_per_turn = 32;
// Whose a port is, in the map sip_ports (bpf/steer.h).
constexpr std::uint8_t of_sip = 1;
constexpr std::uint8_t of_other_parsers = 2;

// The data plane's media of peers that are only monitored: as this stemd is told, and no earlier one.
Result<> watch(const kernel::MonitoredMap& map, const call::Settings& settings) {
    std::vector<stem_monitored_key> stale;
    auto done = map.for_each([&](const stem_monitored_key& key, std::uint8_t) { stale.push_back(key); });
    for (std::size_t i = 0; done && i < stale.size(); i++) {
        if (auto erased = map.erase(stale[i]); !erased) {
            done = std::unexpected(erased.error());
        }
    }
    if (done && settings.monitor_only) {
        done = map.put({.prefix_length = 0, .peer = {}}, 1);
    }
    for (const Cidr& peers : settings.monitored_peers) {
        if (!done) {
            break;
        }
        stem_monitored_key key{.prefix_length = peers.mapped_length(), .peer = {}};
        std::ranges::copy(peers.network().octets(), key.peer);
        done = map.put(key, 1);
    }
    return done;
}

// What the monitor must know beside its own settings: of the peers, of this host and of its instance.
call::Settings call_settings(const config::Config& config, const kernel::Instance& instance) {
    call::Settings settings = config.call;
    settings.clusters.insert(settings.clusters.end(), config.peers.trunks.begin(), config.peers.trunks.end());
    const auto map = kernel::SeedMap::open(instance.pin("stream_seed"));
    const auto seed = map ? map->get(0) : std::unexpected(map.error());
    if (!seed) {
        spdlog::error("{}", seed.error().message());
    }
    settings.stream_seed = seed ? seed->value_or(0) : 0;
    settings.is_own = [own = std::make_shared<OwnAddresses>()](const Address& address) {
        return own->contains(address, kernel::monotonic_ns());
    };
    return settings;
}

xsk::PortsConfig ports_config(const Attachment& attachment, const config::Frames& frames) {
    const stem_meta& meta = attachment.instance.meta();
    xsk::PortsConfig config{.ports = {},
                            .xskmap_fd = attachment.xsks.fd(),
                            .chunks = frames.chunks,
                            .ring_size = frames.ring_size};
    for (std::size_t port = 0; port < STEM_PORTS; ++port) {
        config.ports[port] = {.ifindex = meta.ifindex[port],
                              .generic = meta.xdp_mode[port] == STEM_XDP_GENERIC};
    }
    return config;
}

Result<Links::Setup> links_setup(const stem_meta& meta, const xsk::Ports& ports) {
    Links::Setup setup{.mode = static_cast<stem_mode>(meta.mode), .mtu = {}, .injector = {}};
    for (const stem_port port : {STEM_PORT_EXTERNAL, STEM_PORT_INTERNAL}) {
        const auto mtu = read_mtu(ports.interface(port).name);
        if (!mtu) {
            return std::unexpected(mtu.error());
        }
        setup.mtu[port] = *mtu;
    }
    if (setup.mode == STEM_MODE_ROUTER) {
        auto injector = frame::RawInjector::open();
        if (!injector) {
            return std::unexpected(injector.error());
        }
        setup.injector = std::move(*injector);
    }
    return setup;
}

// Messages have the same caps, however they come.
tcp::Settings streams_settings(const config::Config& config) {
    tcp::Settings settings = config.tcp;
    settings.framing = {.start_line = config.call.sip.start_line, .message = config.call.sip.message};
    return settings;
}

std::vector<std::uint16_t> ports_of(const std::vector<std::string>& texts) {
    std::vector<std::uint16_t> ports;
    ports.reserve(texts.size());
    for (const std::string& text : texts) {
        ports.push_back(static_cast<std::uint16_t>(std::stoul(text))); // the configuration has checked it
    }
    return ports;
}

// Those of the data plane, which has them from when it was attached.
Result<std::vector<std::uint16_t>> sip_ports_of(const kernel::Instance& instance) {
    const auto map = instance.sip_ports();
    if (!map) {
        return std::unexpected(map.error());
    }
    std::vector<std::uint16_t> ports;
    auto walked = map->for_each([&](const std::uint16_t& port, const std::uint8_t& parser) {
        if (parser == of_sip) {
            ports.push_back(port);
        }
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return ports;
}

// Has the data plane give us the ports of parsers other than SIP's, and no longer those of parsers that are
// gone.
Result<> steer_ports(const kernel::Instance& instance, const config::Parsers& parsers) {
    const auto map = instance.sip_ports();
    if (!map) {
        return std::unexpected(map.error());
    }
    const auto wanted = parsers.loads("mgcp") ? ports_of(parsers.mgcp_ports) : std::vector<std::uint16_t>{};
    std::vector<std::uint16_t> stale;
    auto walked = map->for_each([&](const std::uint16_t& port, const std::uint8_t& parser) {
        if (parser == of_other_parsers && std::ranges::find(wanted, port) == wanted.end()) {
            stale.push_back(port);
        }
    });
    for (const std::uint16_t port : stale) {
        if (auto erased = map->erase(port); !erased) {
            return std::unexpected(erased.error());
        }
    }
    for (const std::uint16_t port : wanted) {
        const auto there = map->get(port);
        if (there && *there && **there != of_other_parsers) {
            return fail(fmt::format("give port {} to MGCP ([parsers] mgcp_ports)", port), "it is a SIP port",
                        "name other ports, or attach without --sip-port " + std::to_string(port));
        }
        if (auto put = map->put(port, of_other_parsers); !put) {
            return put;
        }
    }
    return walked;
}

} // namespace

Result<std::unique_ptr<Signalling>> Signalling::open(Attachment& attachment, const config::Config& config,
                                                     sm::Link& sm, call::Observer& observer) {
    if (auto watched = watch(attachment.monitored, config.call); !watched) {
        return std::unexpected(watched.error());
    }
    if (config.call.monitor_only) {
        spdlog::warn("[calls] monitor_only: nothing of calls is dropped, only reported");
    }
    auto ports = xsk::Ports::open(ports_config(attachment, config.frames));
    if (!ports) {
        return std::unexpected(ports.error());
    }
    auto links = links_setup(attachment.instance.meta(), **ports);
    if (!links) {
        return std::unexpected(links.error());
    }
    if (auto steered = steer_ports(attachment.instance, config.parsers); !steered) {
        return std::unexpected(steered.error());
    }
    auto sip_ports = sip_ports_of(attachment.instance);
    if (!sip_ports) {
        return std::unexpected(sip_ports.error());
    }
    auto proxy = ProxyView::open(attachment.instance);
    if (!proxy) {
        return std::unexpected(proxy.error());
    }
    auto thresholds = kernel::ThresholdMap::open(attachment.instance.pin("thresholds"));
    if (!thresholds) {
        return std::unexpected(thresholds.error());
    }
    return std::unique_ptr<Signalling>(new Signalling(attachment,
                                                      {.ports = std::move(*ports),
                                                       .links = std::move(*links),
                                                       .proxy = std::move(*proxy),
                                                       .thresholds = std::move(*thresholds),
                                                       .sip_ports = std::move(*sip_ports)},
                                                      config, sm, observer));
}

Signalling::Signalling(Attachment& attachment, Parts parts, const config::Config& config, sm::Link& sm,
                       call::Observer& observer)
    : counters_(attachment.counters), bridge_(parts.links.mode == STEM_MODE_BRIDGE),
      drop_log_(config.log.drops_per_second),
      flows_(std::move(attachment.flows), std::move(attachment.learning), std::move(attachment.thresholds)),
      notices_(std::move(attachment.notices)), records_(std::move(attachment.dialogs)),
      places_(std::move(attachment.connections)), ports_(std::move(parts.ports)),
      links_(std::move(parts.links), *ports_),
      datagrams_(links_, counters_, attachment.would_drops, drop_log_),
      stream_egress_(counters_, attachment.would_drops, drop_log_), egress_(datagrams_, stream_egress_),
      streams_(streams_settings(config), links_, counters_, drop_log_, places_, std::move(parts.thresholds)),
      fragments_(config.fragments, counters_, drop_log_),
      unknown_(std::min(config.frames.unknown_queue, config.frames.chunks / 8)),
      proxy_(std::move(parts.proxy)),
      monitor_(std::make_unique<call::Monitor>(call_settings(config, attachment.instance), egress_, flows_,
                                               records_, sm)) {
    streams_.read_with(parsers_, egress_);
    parsers_.keep_for_default(parts.sip_ports);
    load_parsers(config, call_settings(config, attachment.instance));
    monitor_->watch_with(observer);
    monitor_->adopt(kernel::monotonic_ns());
}

void Signalling::load_parsers(const config::Config& config, const call::Settings& media) {
    if (config.parsers.loads("sip")) {
        parsers_.load_default(std::make_unique<parser::SipParser>(*monitor_));
    }
    if (config.parsers.loads("mgcp")) {
        parsers_.load(std::make_unique<mgcp::MgcpParser>(config.parsers.mgcp, media, egress_, flows_),
                      ports_of(config.parsers.mgcp_ports));
    }
}

// The known are served at once; the unknown wait until no known one is left in the rings.
void Signalling::sort(xsk::Received& received, std::uint64_t now_ns) noexcept {
    const bool known = received.steer ? (received.steer->flags & STEM_STEER_KNOWN) != 0
                                      : received.port == STEM_PORT_INTERNAL; // no metadata: by its side
    lane_counts_.received[known ? STEM_LANE_KNOWN : STEM_LANE_UNKNOWN]++;
    if (known) {
        take(received, STEM_LANE_KNOWN, now_ns);
        return;
    }
    if (const auto displaced = unknown_.push(std::move(received)); displaced) {
        const auto direction = static_cast<stem_direction>(displaced->port);
        counters_.add(STEM_SIP_UNKNOWN_QUEUE, direction, displaced->frame.bytes().size());
        drop_log_.write(STEM_SIP_UNKNOWN_QUEUE, direction,
                        "unknown sources sent more than there was time for");
    }
}

void Signalling::take(xsk::Received& received, stem_sip_lane lane, std::uint64_t now_ns) noexcept {
    if (const auto segment = frame::parse_tcp(received.frame.bytes())) {
        take_segment(received, *segment, lane, now_ns);
        return;
    }
    const auto view = frame::parse_frame(received.frame.bytes());
    if (!view) {
        const auto direction = static_cast<stem_direction>(received.port);
        counters_.add(STEM_FRAME_UNREADABLE, direction, received.frame.bytes().size());
        drop_log_.write(STEM_FRAME_UNREADABLE, direction, "neither UDP nor TCP over IP");
        return;
    }
    if (view->fragment) {
        take_fragment(received, *view, lane, now_ns);
        return;
    }
    take_datagram(received, *view, lane, now_ns);
}

// May leave by the other port as it is. No metadata: as it came.
bool Signalling::is_ready(const xsk::Received& received) const noexcept {
    return received.steer ? (received.steer->flags & STEM_STEER_READY) != 0 : bridge_;
}

void Signalling::take_segment(const xsk::Received& received, const frame::TcpView& view, stem_sip_lane lane,
                              std::uint64_t now_ns) noexcept {
    const auto direction = static_cast<stem_direction>(received.port);
    const auto proxy = proxy_.proxy_of(view.v4);
    const bool proxied = received.steer && (received.steer->flags & STEM_STEER_PROXIED) != 0;
    streams_.take(
        direction, view, received.frame.bytes(),
        {.lane = lane,
         .ready = is_ready(received),
         .proxy = proxied && direction == STEM_INBOUND ? proxy : std::nullopt,
         .from_proxy = proxy && direction == STEM_OUTBOUND && view.source.address == proxy->address},
        now_ns);
}

void Signalling::take_datagram(xsk::Received& received, const frame::FrameView& view, stem_sip_lane lane,
                               std::uint64_t now_ns) noexcept {
    // Its receiver looks at it, too: a message that is only STEM's would end a call for STEM alone.
    const auto datagram = received.frame.bytes().subspan(view.l4, frame::udp_header + view.payload_length);
    const auto checksum = frame::udp_checksum_for(view, datagram);
    if (!checksum) {
        const auto direction = static_cast<stem_direction>(received.port);
        counters_.add(STEM_FRAME_UNREADABLE, direction, received.frame.bytes().size());
        drop_log_.write(STEM_FRAME_UNREADABLE, direction, view.source, view.destination,
                        "wrong UDP checksum");
        return;
    }
    frame::write16(datagram, 6, *checksum);
    const bool ready = is_ready(received);
    const bool proxied = received.steer && (received.steer->flags & STEM_STEER_PROXIED) != 0;
    auto carrier = std::make_unique<FrameCarrier>(std::move(received.frame), view, received.port, ready,
                                                  std::nullopt, counters_);
    give_whole(std::move(carrier), proxied, lane, now_ns);
}

void Signalling::give_whole(std::unique_ptr<FrameCarrier> carrier, bool proxied, stem_sip_lane lane,
                            std::uint64_t now_ns) {
    const frame::FrameView view = carrier->view();
    const stem_direction direction = carrier->direction();
    const std::string_view payload = carrier->payload();
    const auto change = proxy_.judge(direction, proxied, view, payload, now_ns);
    carrier->change_to(change);
    // The proxy speaks as the address that was called; and that is whom the client speaks to.
    const bool as_called = change && change->end == frame::End::source;
    parsers_.receive({.direction = direction,
                      .source = as_called ? change->endpoint : view.source,
                      .destination = view.destination,
                      .payload = payload,
                      .carrier = std::move(carrier),
                      .lane = lane},
                     egress_, now_ns);
}

// The whole, once it is there.
void Signalling::take_fragment(xsk::Received& received, const frame::FrameView& view, stem_sip_lane lane,
                               std::uint64_t now_ns) noexcept {
    const bool ready = is_ready(received);
    const bool proxied = received.steer && (received.steer->flags & STEM_STEER_PROXIED) != 0;
    if (auto carrier =
            fragments_.take(std::move(received.frame), view, received.port, ready, proxied, now_ns)) {
        const bool marked = carrier->rest().proxied;
        give_whole(std::move(carrier), marked, lane, now_ns);
    }
}

// Gives whether more wait.
bool Signalling::serve_unknown(std::size_t most) noexcept {
    const auto now_ns = kernel::monotonic_ns();
    for (std::size_t i = 0; i < most; i++) {
        auto received = unknown_.take();
        if (!received) {
            return false;
        }
        take(*received, STEM_LANE_UNKNOWN, now_ns);
    }
    return !unknown_.empty();
}

LaneCounts Signalling::lanes() const noexcept {
    LaneCounts counts = lane_counts_;
    counts.displaced = unknown_.displaced();
    counts.waiting = unknown_.size();
    return counts;
}

bool Signalling::receive_once() noexcept {
    const auto now_ns = kernel::monotonic_ns();
    return ports_->receive([&](std::span<xsk::Received> batch) noexcept {
        for (xsk::Received& received : batch) {
            sort(received, now_ns);
        }
    }) > 0;
}

bool Signalling::receive() noexcept {
    bool any = !unknown_.empty();
    for (int burst = 0; burst < bursts_per_turn && receive_once(); ++burst) {
        any = true;
    }
    const bool more = serve_unknown(unknown_per_turn);
    if (any) {
        ports_->flush();
    }
    return more;
}

void Signalling::tick() {
    const auto now_ns = kernel::monotonic_ns();
    const auto taken = notices_.take([&](const stem_notice& notice) { monitor_->heed(notice, now_ns); });
    if (!taken) {
        spdlog::error("{}", taken.error().message());
    }
    parsers_.tick(now_ns);
    if (!parsers_.has_default()) { // calls of an earlier stemd come to their end
        monitor_->tick(now_ns);
    }
    streams_.tick(now_ns);
    fragments_.tick(now_ns);
    ports_->flush();
}

void Signalling::look_around() {
    streams_.look_around(kernel::monotonic_ns());
    if (++looks_ % looks_per_expiry == 0) {
        proxy_.expire(kernel::monotonic_ns());
    }
    const auto lost = notices_.newly_lost();
    if (!lost) {
        spdlog::error("{}", lost.error().message());
    } else if (*lost > 0) {
        spdlog::warn("{} notices of the data plane were lost: looking through all flows", *lost);
        monitor_->look_around(kernel::monotonic_ns());
    }
}

void Signalling::stop() noexcept {
    ports_->detach();
    while (receive_once() || !unknown_.empty()) {
        serve_unknown(unknown_per_turn);
        ports_->flush();
    }
    streams_.leave(kernel::monotonic_ns());
    fragments_.leave();
    ports_->flush();
}

} // namespace stem::stemd
