// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/metrics.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <stem/module.h>
#include <stem/reason.h>
#include <stem/threshold.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "ctl/kernel/clock.h"
#include "ctl/kernel/counter_table.h"
#include "ctl/kernel/denials.h"
#include "ctl/kernel/deny_origin.h"
#include "ctl/kernel/flow_list.h"
#include "ctl/kernel/state_list.h"
#include "ctl/kernel/version.h"

namespace stem::stemd {
namespace {

// Reasons from this number on are the controller's (stem/abi/reason.h).
constexpr unsigned first_controller_reason = 100;

bool is_controllers(stem_reason reason) {
    return reason >= first_controller_reason || reason == STEM_SIP_UNKNOWN_QUEUE;
}

// One page being written: samples of one metric stand together, behind its HELP and TYPE.
class Page {
  public:
    void metric(std::string_view name, std::string_view type, std::string_view help) {
        name_ = name;
        fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    }

    // `labels`: `port="external"`, or "".
    template<typename Value>
    void sample(std::string_view labels, Value value) {
        if (labels.empty()) {
            fmt::format_to(std::back_inserter(text_), "{} {}\n", name_, value);
        } else {
            fmt::format_to(std::back_inserter(text_), "{}{{{}}} {}\n", name_, labels, value);
        }
    }

    template<typename Value>
    void single(std::string_view name, std::string_view type, std::string_view help, Value value) {
        metric(name, type, help);
        sample("", value);
    }

    std::string take() { return std::move(text_); }

  private:
    std::string_view name_;
    std::string text_;
};

void verdicts(Page& page, const std::vector<kernel::CounterRow>& rows) {
    const auto each = [&](auto member) {
        for (const auto& row : rows) {
            for (const stem_direction direction : {STEM_INBOUND, STEM_OUTBOUND}) {
                page.sample(fmt::format(R"(plane="{}",reason="{}",kind="{}",direction="{}")",
                                        is_controllers(row.reason) ? "control" : "data", label_of(row.reason),
                                        label_of(stem_kind_of(row.reason)), label_of(direction)),
                            row.by_direction[direction].*member);
            }
        }
    };
    page.metric("stem_packets_total", "counter", "Packets by verdict; stemctl drops explains the reasons.");
    each(&stem_counter::packets);
    page.metric("stem_bytes_total", "counter", "Octets of whole frames by verdict.");
    each(&stem_counter::bytes);
}

// Of peers that are only monitored; reasons that counted nothing are left out.
void would_drops(Page& page, const kernel::Instance& instance) {
    const auto rows = kernel::read_would_drops(instance);
    if (!rows) {
        spdlog::error("{}", rows.error().message());
        return;
    }
    page.metric("stem_would_drop_packets_total", "counter",
                "Packets that would have been dropped, of peers that are only monitored.");
    for (const auto& row : *rows) {
        for (const stem_direction direction : {STEM_INBOUND, STEM_OUTBOUND}) {
            if (row.by_direction[direction].packets > 0) {
                page.sample(
                    fmt::format(R"(reason="{}",direction="{}")", label_of(row.reason), label_of(direction)),
                    row.by_direction[direction].packets);
            }
        }
    }
}

void events(Page& page, const kernel::EventCounts& counts) {
    page.metric("stem_events_total", "counter", "Sampled reports of verdicts, by what became of them.");
    page.sample(R"(result="sent")", counts.sent);
    page.sample(R"(result="suppressed")", counts.suppressed);
    page.sample(R"(result="lost")", counts.lost);
}

void modules(Page& page, const kernel::Instance& instance) {
    const auto map = kernel::MetaMap::open(instance.pin("meta"));
    const auto meta = map ? map->get(0) : std::unexpected(map.error());
    if (!meta || !*meta) {
        spdlog::error("{}", meta ? "the meta map is empty" : meta.error().message());
        return;
    }
    page.metric("stem_module", "gauge", "1: the module is on (stemctl modules).");
    for (const auto& info : stem::modules()) {
        page.sample(fmt::format(R"(module="{}")", info.label), is_on((*meta)->modules, info) ? 1 : 0);
    }
}

void thresholds(Page& page, const kernel::Instance& instance) {
    const auto map = kernel::ThresholdMap::open(instance.pin("thresholds"));
    const auto values = map ? map->get(0) : std::unexpected(map.error());
    if (!values || !*values) {
        spdlog::error("{}", values ? "the thresholds map is empty" : values.error().message());
        return;
    }
    page.metric("stem_threshold", "gauge", "Thresholds in force in the data plane (stemctl thresholds).");
    for (const auto& info : stem::thresholds()) {
        page.sample(fmt::format(R"(name="{}",unit="{}")", info.name, info.unit), (**values).*info.field);
    }
}

void calls(Page& page, const call::Totals& totals) {
    page.single("stem_calls", "gauge", "Calls now.", totals.calls);
    page.single("stem_calls_held", "gauge", "INVITEs that wait for their decision.", totals.held);
    page.single("stem_transactions", "gauge", "SIP requests that wait for responses.", totals.transactions);
    page.single("stem_pinholes", "gauge", "Open pinholes.", totals.pinholes);
    page.single("stem_calls_seen_total", "counter", "Calls that began.", totals.calls_seen);
    page.single("stem_calls_answered_total", "counter", "Calls that were answered.", totals.calls_answered);
    page.single("stem_calls_refused_total", "counter", "Calls refused by a decision.", totals.calls_refused);
    page.single("stem_calls_silent_total", "counter", "Calls ended because their media stopped.",
                totals.calls_silent);
    page.single("stem_calls_expired_total", "counter", "Calls ended because nobody refreshed their session.",
                totals.calls_expired);
    page.single("stem_byes_waiting", "gauge", "BYEs from elsewhere than their leg, that wait.",
                totals.byes_waiting);
    page.single("stem_byes_suspected_total", "counter", "BYEs from elsewhere than their leg.",
                totals.byes_suspected);
    page.single("stem_byes_refused_total", "counter", "Of those, dropped: their leg's media went on.",
                totals.byes_refused);
    page.single("stem_byes_early_total", "counter", "BYEs of callees before the ACK.", totals.byes_early);
    page.single("stem_legs_moved_total", "counter",
                "Legs that went on signalling from another port or address.", totals.peers_moved);
    page.single("stem_pinholes_opened_total", "counter", "Pinholes opened.", totals.pinholes_opened);
    page.single("stem_pinholes_closed_total", "counter", "Pinholes closed.", totals.pinholes_closed);
}

void connections(Page& page, const tcp::Table& table) {
    const tcp::Counts& counts = table.counts();
    page.single("stem_connections", "gauge",
                "SIP connections over TCP, those included that are begun or over.", table.size());
    page.single("stem_connections_octets", "gauge",
                "Octets of SIP over TCP that wait: for the rest of a message, a decision, or to be sent.",
                table.stored());
    page.metric("stem_connections_total", "counter", "SIP connections over TCP, by what became of them.");
    page.sample(R"(event="opened")", counts.opened);
    page.sample(R"(event="resumed")", counts.resumed);
    page.sample(R"(event="closed")", counts.closed);
    page.sample(R"(event="reset")", counts.reset);
    page.sample(R"(event="refused")", counts.refused);
    page.metric("stem_connection_segments_total", "counter", "TCP segments of SIP, in and out of stemd.");
    page.sample(R"(what="received")", counts.segments_in);
    page.sample(R"(what="sent")", counts.segments_out);
    page.sample(R"(what="repeated")", counts.repeated);
    page.metric("stem_connection_messages_total", "counter", "SIP messages that came over TCP.");
    for (const stem_direction direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        page.sample(fmt::format(R"(direction="{}")", label_of(direction)), counts.messages[direction]);
    }
}

// Of the flows that are open now, together: one series a flow would be one a call.
void media(Page& page, const std::vector<kernel::FlowEntry>& flows, const call::Totals& totals) {
    std::uint64_t lowered = 0;
    std::uint64_t lost = 0;
    std::uint64_t reordered = 0;
    std::uint64_t repeated = 0;
    std::uint64_t measured = 0;
    double jitter_sum = 0;
    double jitter_max = 0;
    for (const auto& flow : flows) {
        lowered += (flow.value.state & STEM_STREAM_LOWERED) != 0 ? 1 : 0;
        lost += flow.value.lost;
        reordered += flow.value.reordered;
        repeated += flow.value.repeated;
        if (const auto jitter = flow.jitter_ms(); jitter) {
            measured++;
            jitter_sum += *jitter;
            jitter_max = std::max(jitter_max, *jitter);
        }
    }
    constexpr double ms_per_second = 1000;
    page.metric("stem_media_jitter_seconds", "gauge", "Interarrival jitter (RFC 3550) of the open streams.");
    page.sample(R"(of="mean")",
                measured == 0 ? 0 : jitter_sum / static_cast<double>(measured) / ms_per_second);
    page.sample(R"(of="max")", jitter_max / ms_per_second);
    page.metric("stem_media_packets", "gauge",
                "Packets of the open streams that did not come as they were sent.");
    page.sample(R"(what="lost")", lost);
    page.sample(R"(what="reordered")", reordered);
    page.sample(R"(what="repeated")", repeated);
    page.single("stem_media_lowered", "gauge", "Open streams that are held to a lower rate.", lowered);
    page.metric("stem_media_announced_bytes", "gauge", "What open pinholes may carry in a second.");
    for (const stem_direction direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        page.sample(fmt::format(R"(direction="{}")", label_of(direction)), totals.announced[direction]);
    }
    page.single("stem_media_lowered_total", "counter", "Streams lowered for their excess.",
                totals.streams_lowered);
    page.single("stem_media_ended_total", "counter", "Streams ended for their excess.", totals.streams_ended);
    page.single("stem_media_learned_total", "counter", "Ports of peers behind NAT that were learned.",
                totals.peers_learned);
    page.single("stem_calls_over_total", "counter", "Calls refused for want of bandwidth.",
                totals.calls_over_total);
}

void bindings_seen(Page& page, const sm::EmbeddedLink::Counters& bindings) {
    page.metric("stem_sm_bindings_total", "counter", "Registrations seen, by what became of them.");
    page.sample(R"(result="stored")", bindings.stored);
    page.sample(R"(result="removed")", bindings.removed);
    page.sample(R"(result="unknown_user")", bindings.unknown_user);
    page.sample(R"(result="failed")", bindings.failed);
}

void control_channel(Page& page, const Manager::Figures& figures) {
    const smlink::Status& status = *figures.link;
    page.single("stem_sm_connected", "gauge", "1: a remote Security Manager is connected.",
                status.connected ? 1 : 0);
    page.single("stem_sm_waiting", "gauge", "Calls that wait for a Security Manager.", status.waiting);
    page.single("stem_sm_outbox", "gauge", "Bindings and reports that no Security Manager has taken in yet.",
                status.outbox);
    page.single("stem_sm_outbox_lost_total", "counter", "Bindings and reports that there was no room for.",
                status.outbox_lost);
    page.single("stem_sm_snapshot_usable", "gauge", "1: calls can be decided by a snapshot.",
                status.snapshot_usable ? 1 : 0);
    page.metric("stem_sm_link_total", "counter",
                "What became of the control channel, and of what went over it.");
#define STEM_LINK_SAMPLE(member, label, help) page.sample("what=\"" label "\"", figures.link_counts.member);
    STEM_LINK_COUNTS(STEM_LINK_SAMPLE)
#undef STEM_LINK_SAMPLE
    page.metric("stem_channel_refusals_total", "counter",
                "Messages of the control channel that were refused, by reason (docs/control-channel.md).");
    for (std::size_t i = 0; i < channel::refusal_count; ++i) {
        page.sample(fmt::format(R"(reason="{}")", channel::label_of(static_cast<channel::Refusal>(i))),
                    figures.refusals[i]);
    }
}

void security_manager(Page& page, const DecisionCounts& decisions, const Manager::Figures& figures) {
    page.metric("stem_sm_decisions_total", "counter", "Decisions about new calls.");
    page.sample(R"(action="accept")", decisions.accepted);
    page.sample(R"(action="forward")", decisions.forwarded);
    page.sample(R"(action="reject")", decisions.rejected);
    page.sample(R"(action="drop")", decisions.dropped);
    page.sample(R"(action="spam")", decisions.spam);
    page.sample(R"(action="challenge")", decisions.challenged);
    if (figures.admission) {
        page.metric("stem_sm_admission_total", "counter",
                    "Calls that the Security Manager in stemd was asked for, by what bounds made of them.");
#define STEM_ADMISSION_COUNT(member, label, help)                                                            \
    page.sample(fmt::format("what=\"{}\"", label), figures.admission->member);
        STEM_ADMISSION_COUNTS(STEM_ADMISSION_COUNT)
#undef STEM_ADMISSION_COUNT
    }
    if (figures.audit) {
        page.metric("stem_audit_records_total", "counter", "Records of the audit trail.");
        page.sample(R"(what="written")", figures.audit->written);
        page.sample(R"(what="lost")", figures.audit->lost);
    }
    if (figures.bindings) {
        bindings_seen(page, *figures.bindings);
    }
    if (figures.authentication) {
        page.metric("stem_auth_total", "counter",
                    "Callers from inside who had to show who they are, by what became of them.");
#define STEM_AUTH_COUNT(member, label, help)                                                                 \
    page.sample("what=\"" label "\"", figures.authentication->member);
        STEM_AUTH_COUNTS(STEM_AUTH_COUNT)
#undef STEM_AUTH_COUNT
    }
    if (figures.link) {
        control_channel(page, figures);
    }
}

void states(Page& page, const kernel::StateFigures& figures) {
    page.single("stem_states", "gauge", "Kept connections, those included that wait for the sweep.",
                figures.usage.states);
    page.single("stem_states_room", "gauge", "How many there can be.", figures.room);
    page.single("stem_proxy_clients", "gauge", "Clients whose SIP is steered to the proxy.",
                figures.usage.steered);
    page.metric("stem_state_changes_total", "counter",
                "Kept connections begun and ended, and those refused.");
    const auto sample = [&](std::string_view change, stem_state_counter which) {
        page.sample(fmt::format(R"(change="{}")", change), figures.counters[which]);
    };
    sample("created", STEM_STATES_CREATED);
    sample("ended", STEM_STATES_EXPIRED);
    sample("refused_full", STEM_STATES_REFUSED_FULL);
    sample("refused_source", STEM_STATES_REFUSED_SOURCE);
    sample("refused_form", STEM_STATES_REFUSED_FORM);
    sample("refused_window", STEM_STATES_REFUSED_WINDOW);
    sample("steered", STEM_STATES_STEERED);
}

void frames(Page& page, const xsk::Ports& ports) {
    const auto census = ports.census();
    page.metric("stem_frames", "gauge", "Chunks of the frame pool, by where they are.");
    page.sample(R"(place="free")", census.free);
    page.sample(R"(place="held")", census.held);
    page.sample(R"(place="filling")", census.filling);
    page.sample(R"(place="sending")", census.sending);
    page.metric("stem_xsk_frames_total", "counter", "Frames of the AF_XDP sockets, by what became of them.");
    for (const stem_port port : {STEM_PORT_EXTERNAL, STEM_PORT_INTERNAL}) {
        const auto statistics = ports.statistics(port);
        const auto sample = [&](std::string_view result, std::uint64_t value) {
            page.sample(fmt::format(R"(port="{}",result="{}")",
                                    port == STEM_PORT_EXTERNAL ? "external" : "internal", result),
                        value);
        };
        sample("received", statistics.received);
        sample("sent", statistics.sent);
        sample("send_refused", statistics.send_refused);
        sample("rx_dropped", statistics.rx_dropped);
        sample("rx_ring_full", statistics.rx_ring_full);
    }
}

void signalling(Page& page, const kernel::SignallingCounts& counts) {
    page.metric("stem_signalling_total", "counter",
                "Messages on SIP ports, by kind, direction and what the data plane did with them.");
    for (const stem_sip_kind kind : kernel::sip_kinds) {
        for (const stem_direction direction : {STEM_INBOUND, STEM_OUTBOUND}) {
            const auto& count = counts.of(kind, direction);
            const auto sample = [&](std::string_view result, std::uint64_t value) {
                page.sample(fmt::format(R"(kind="{}",direction="{}",result="{}")", kernel::name_of(kind),
                                        label_of(direction), result),
                            value);
            };
            sample("known", count.steered[STEM_LANE_KNOWN]);
            sample("unknown", count.steered[STEM_LANE_UNKNOWN]);
            sample("over_lane", count.over_lane);
            sample("limited", count.limited);
        }
    }
    page.metric(
        "stem_signalling_blocks_total", "counter",
        "Times that a stream or a source was blocked, by the kind of message that it sent too many of.");
    for (const stem_sip_kind kind : kernel::sip_kinds) {
        std::uint64_t streams = 0;
        std::uint64_t sources = 0;
        for (const stem_direction direction : {STEM_INBOUND, STEM_OUTBOUND}) {
            streams += counts.of(kind, direction).stream_blocks;
            sources += counts.of(kind, direction).source_blocks;
        }
        page.sample(fmt::format(R"(kind="{}",what="stream")", kernel::name_of(kind)), streams);
        page.sample(fmt::format(R"(kind="{}",what="source")", kernel::name_of(kind)), sources);
    }
}

void denials(Page& page, const kernel::Instance& instance, const DenyKeeper::Counts& orders) {
    page.metric("stem_sm_denials_total", "counter",
                "Sources that the Security Manager wanted denied, by what came of it.");
    page.sample(R"(result="done")", orders.done);
    page.sample(R"(result="spared")", orders.spared);
    page.sample(R"(result="failed")", orders.failed);
    const auto opened = kernel::Denials::open(instance);
    const auto list = opened ? opened->list() : std::unexpected(opened.error());
    const auto use = opened ? opened->use() : std::unexpected(opened.error());
    if (!list || !use) {
        spdlog::error("{}", !list ? list.error().message() : use.error().message());
        return;
    }
    using Series = std::pair<std::string_view, std::string_view>; // where, by whom
    std::map<Series, std::uint64_t> entries = {
        {{"addresses", "operator"}, 0},         {{"addresses", "sm"}, 0},
        {{"networks", "operator"}, 0},          {{"streams", "operator"}, 0},
        {{"streams", "signalling_monitor"}, 0}, {{"signalling_sources", "signalling_monitor"}, 0},
        {{"syn_sources", "syn_monitor"}, 0},    {{"flows", "operator"}, 0}};
    const std::uint64_t now = kernel::monotonic_ns();
    for (const auto& denial : *list) {
        if (!denial.expired(now)) {
            entries[{denial.where(), kernel::name_of_origin(denial.by)}]++;
        }
    }
    page.metric("stem_deny_entries", "gauge", "What is denied now, by what it is and who denied it.");
    for (const auto& [series, count] : entries) {
        page.sample(fmt::format(R"(kind="{}",by="{}")", series.first, series.second), count);
    }
    const auto each = [&](auto value) {
        for (const auto& table : *use) {
            page.sample(fmt::format(R"(kind="{}")", kernel::label_of(table.table)), value(table));
        }
    };
    page.metric("stem_deny_used", "gauge", "Entries of each table, those too that wait for the sweep.");
    each([](const kernel::DenyTableUse& table) { return table.used; });
    page.metric("stem_deny_room", "gauge", "How many there can be.");
    each([](const kernel::DenyTableUse& table) { return table.capacity; });
    page.metric("stem_deny_full_total", "counter",
                "Additions refused, and blocks not made or not kept, because a table was full.");
    each([](const kernel::DenyTableUse& table) { return table.refused; });
}

void floods(Page& page, const FloodMonitor& floods, const LaneCounts& lanes) {
    page.metric("stem_lane_frames_total", "counter", "Frames that stemd took in, by lane.");
    page.sample(R"(lane="known")", lanes.received[STEM_LANE_KNOWN]);
    page.sample(R"(lane="unknown")", lanes.received[STEM_LANE_UNKNOWN]);
    page.single("stem_lane_waiting", "gauge", "Frames of unknown sources that wait.", lanes.waiting);
    page.single("stem_peers", "gauge", "Known peers.", floods.peers().size());
    page.single("stem_peers_refused_total", "counter", "Peers that there was no room for.",
                floods.peers().refused());
    const flood::Detector& detector = floods.detector();
    const auto each = [&](auto value) {
        for (const auto signal : {flood::Signal::sip, flood::Signal::syn}) {
            page.sample(fmt::format(R"(signal="{}")", flood::name_of(signal)), value(signal));
        }
    };
    page.metric("stem_alarm", "gauge", "1: a flood from many sources is on, and known peers go first.");
    each([&](flood::Signal signal) { return detector.alarmed(signal) ? 1 : 0; });
    page.metric("stem_alarms_total", "counter", "Alarms raised.");
    each([&](flood::Signal signal) { return detector.raised(signal); });
    page.metric("stem_detector_sum", "gauge",
                "CUSUM of unanswered requests; the alarm is above detector_alarm.");
    each([&](flood::Signal signal) { return detector.cusum(signal).sum(); });
    if (const auto counts = floods.syn().counts()) {
        page.metric("stem_syn_total", "counter",
                    "TCP connection attempts from outside, and what came of them.");
#define STEM_SYN_SAMPLE(name, number, label, help) page.sample("event=\"" label "\"", (*counts)[number]);
        STEM_SYN_COUNTS(STEM_SYN_SAMPLE)
#undef STEM_SYN_SAMPLE
    } else {
        spdlog::error("{}", counts.error().message());
    }
    if (const auto counts = floods.counts()) {
        signalling(page, *counts);
    } else {
        spdlog::error("{}", counts.error().message());
    }
}

} // namespace

std::string describe_metrics(const Figures& figures) {
    Page page;
    page.metric("stem_info", "gauge", "Always 1; the labels say what runs.");
    page.sample(fmt::format(R"(version="{}",instance="{}",mode="{}")", kernel::version,
                            figures.instance.name(),
                            figures.instance.meta().mode == STEM_MODE_ROUTER ? "router" : "bridge"),
                1);
    page.single("stem_uptime_seconds", "gauge", "Since stemd started.", figures.uptime_seconds);
    if (const auto rows = kernel::read_counters(figures.instance)) {
        verdicts(page, *rows);
        would_drops(page, figures.instance);
    } else {
        spdlog::error("{}", rows.error().message());
    }
    if (const auto counts = kernel::read_event_counts(figures.instance)) {
        events(page, *counts);
    } else {
        spdlog::error("{}", counts.error().message());
    }
    modules(page, figures.instance);
    thresholds(page, figures.instance);
    if (const auto kept = kernel::read_state_figures(figures.instance)) {
        states(page, *kept);
    } else {
        spdlog::error("{}", kept.error().message());
    }
    calls(page, figures.totals);
    connections(page, figures.connections);
    if (const auto flows = kernel::list_flows(figures.instance)) {
        media(page, *flows, figures.totals);
    } else {
        spdlog::error("{}", flows.error().message());
    }
    security_manager(page, figures.decisions, figures.manager);
    frames(page, figures.ports);
    floods(page, figures.floods, figures.lanes);
    denials(page, figures.instance, figures.floods.denials());
    return page.take();
}

} // namespace stem::stemd
