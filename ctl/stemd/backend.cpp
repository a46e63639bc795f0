// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/backend.h"

#include <unistd.h>

#include "ctl/kernel/clock.h"
#include "ctl/kernel/version.h"
#include "ctl/stemd/metrics.h"

namespace stem::stemd {
namespace {

namespace json = boost::json;

json::object to_json(const xsk::SocketStatistics& statistics) {
    return {{"received", statistics.received},         {"sent", statistics.sent},
            {"completed", statistics.completed},       {"send_refused", statistics.send_refused},
            {"send_errors", statistics.send_errors},   {"rx_dropped", statistics.rx_dropped},
            {"rx_ring_full", statistics.rx_ring_full}, {"fill_ring_empty", statistics.fill_ring_empty}};
}

json::object to_json(const xsk::Census& census) {
    return {{"total", census.total},
            {"free", census.free},
            {"held", census.held},
            {"filling", census.filling},
            {"sending", census.sending}};
}

json::object to_json(const call::Totals& totals) {
    return {{"now", totals.calls},
            {"held", totals.held},
            {"transactions", totals.transactions},
            {"pinholes", totals.pinholes},
            {"seen", totals.calls_seen},
            {"answered", totals.calls_answered},
            {"refused", totals.calls_refused},
            {"challenged", totals.calls_challenged},
            {"silent", totals.calls_silent},
            {"expired", totals.calls_expired},
            {"byes_waiting", totals.byes_waiting},
            {"byes_suspected", totals.byes_suspected},
            {"byes_refused", totals.byes_refused},
            {"byes_early", totals.byes_early},
            {"legs_moved", totals.peers_moved},
            {"would_drop", totals.would_drop},
            {"pinholes_opened", totals.pinholes_opened},
            {"pinholes_closed", totals.pinholes_closed}};
}

json::object to_json(const DecisionCounts& counts) {
    return {{"accepted", counts.accepted}, {"forwarded", counts.forwarded},
            {"rejected", counts.rejected}, {"dropped", counts.dropped},
            {"spam", counts.spam},         {"challenged", counts.challenged}};
}

json::object to_json(const tcp::Table& connections) {
    const tcp::Counts& counts = connections.counts();
    return {
        {"now", connections.size()}, {"open", connections.open()}, {"octets", connections.stored()},
        {"opened", counts.opened},   {"resumed", counts.resumed},  {"closed", counts.closed},
        {"reset", counts.reset},     {"refused", counts.refused},  {"repeated_segments", counts.repeated}};
}

json::object to_json(const LaneCounts& lanes) {
    return {{"known", lanes.received[STEM_LANE_KNOWN]},
            {"unknown", lanes.received[STEM_LANE_UNKNOWN]},
            {"unknown_waiting", lanes.waiting},
            {"unknown_dropped", lanes.displaced}};
}

json::object to_json(const flood::Detector& detector, flood::Signal signal) {
    const flood::Cusum& cusum = detector.cusum(signal);
    return {{"alarm", cusum.alarmed()},
            {"sum", cusum.sum()},
            {"answers", cusum.average()},
            {"raised", detector.raised(signal)}};
}

json::object to_json(const flood::Alarm& alarm, const api::Now& now) {
    json::object object{
        {"signal", flood::name_of(alarm.signal)},
        {"began", api::utc(now.realtime_ns - (now.monotonic_ns - alarm.began_ns))},
        {"ended", nullptr},
        {"seconds",
         static_cast<double>((alarm.ended_ns != 0 ? alarm.ended_ns : now.monotonic_ns) - alarm.began_ns) /
             1e9},
        {"peak", alarm.peak},
        {"requests", alarm.requests},
        {"answers", alarm.answers}};
    if (alarm.ended_ns != 0) {
        object["ended"] = api::utc(now.realtime_ns - (now.monotonic_ns - alarm.ended_ns));
    }
    return object;
}

json::object describe(const xsk::Ports& ports, stem_port port, const stem_meta& meta) {
    const xsk::Interface& interface = ports.interface(port);
    return {{"name", interface.name},
            {"ifindex", interface.index},
            {"queues", interface.rx_queues},
            {"xdp", meta.xdp_mode[port] == STEM_XDP_GENERIC ? "generic" : "native"},
            {"frames", to_json(ports.statistics(port))}};
}

} // namespace

Backend::Backend(const Sources& sources) : from_(sources), started_ns_(kernel::monotonic_ns()) {
}

api::Now Backend::now() {
    return {.monotonic_ns = kernel::monotonic_ns(), .realtime_ns = kernel::realtime_ns()};
}

json::object Backend::status() {
    const api::Now at = now();
    const std::uint64_t uptime_ns = at.monotonic_ns - started_ns_;
    const stem_meta& meta = from_.instance.meta();
    const xsk::Ports& ports = from_.signalling.ports();
    return {{"version", kernel::version},
            {"instance", from_.instance.name()},
            {"pid", ::getpid()},
            {"started", api::utc(at.realtime_ns - uptime_ns)},
            {"uptime_seconds", static_cast<double>(uptime_ns) / 1e9},
            {"mode", meta.mode == STEM_MODE_ROUTER ? "router" : "bridge"},
            {"zero_copy", ports.zero_copy()},
            {"external", describe(ports, STEM_PORT_EXTERNAL, meta)},
            {"internal", describe(ports, STEM_PORT_INTERNAL, meta)},
            {"pool", to_json(ports.census())},
            {"calls", to_json(from_.signalling.monitor().totals())},
            {"connections", to_json(from_.signalling.connections())},
            {"lanes", to_json(from_.signalling.lanes())},
            {"peers", from_.floods.peers().size()},
            {"detector", json::object{{"sip", to_json(from_.floods.detector(), flood::Signal::sip)},
                                      {"syn", to_json(from_.floods.detector(), flood::Signal::syn)}}},
            {"decisions", to_json(from_.decisions.counts())},
            {"security_manager", from_.manager.status()}};
}

std::vector<call::DialogInfo> Backend::calls() {
    return from_.signalling.monitor().dialogs();
}

bool Backend::drop_call(std::uint64_t id) {
    return from_.signalling.monitor().drop(id, kernel::monotonic_ns());
}

std::vector<tcp::ConnectionInfo> Backend::connections() {
    return from_.signalling.connections().list();
}

bool Backend::reset_connection(std::uint64_t id) {
    return from_.signalling.connections().reset(id, "reset by hand", kernel::monotonic_ns());
}

json::object Backend::alarms() {
    const api::Now at = now();
    json::array alarms;
    for (const flood::Alarm& alarm : from_.floods.detector().alarms()) {
        alarms.push_back(to_json(alarm, at));
    }
    return {{"alarms", std::move(alarms)}};
}

Result<> Backend::add_trunk(const Address& peer) {
    return from_.floods.peers().add_trunk(peer, kernel::monotonic_ns());
}

bool Backend::remove_trunk(const Address& peer) {
    return from_.floods.peers().remove_trunk(peer, kernel::monotonic_ns());
}

std::string Backend::metrics() {
    return describe_metrics(
        {.instance = from_.instance,
         .totals = from_.signalling.monitor().totals(),
         .connections = from_.signalling.connections(),
         .decisions = from_.decisions.counts(),
         .manager = from_.manager.figures(),
         .ports = from_.signalling.ports(),
         .lanes = from_.signalling.lanes(),
         .floods = from_.floods,
         .uptime_seconds = static_cast<double>(kernel::monotonic_ns() - started_ns_) / 1e9});
}

api::Response Backend::security_manager(const api::Request& request) {
    return from_.manager.answer(request);
}

} // namespace stem::stemd
