// SPDX-License-Identifier: Apache-2.0
// flows: the pinholes that calls have open.
#include "ctl/kernel/clock.h"
#include "ctl/kernel/flow_list.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/table.h"

#include <stem/reason.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace stem::stemctl {
namespace {

// As in the map's key, in hexadecimal.
std::string dialog_text(std::uint64_t dialog) {
    return fmt::format("{:016x}", dialog);
}

std::string_view kind_name(unsigned kind) {
    switch (kind) {
    case STEM_FLOW_RTP:
        return "rtp";
    case STEM_FLOW_RTCP:
        return "rtcp";
    case STEM_FLOW_UDPTL:
        return "udptl";
    default:
        return "unknown";
    }
}

boost::json::object endpoint_json(const Endpoint& endpoint) {
    return {{"address", endpoint.address.to_string()}, {"port", endpoint.port}};
}

std::string_view state_name(const stem_flow& flow, std::uint64_t now) {
    if (flow.denied_until_ns > now) {
        return "denied";
    }
    if ((flow.state & STEM_STREAM_ENDED) != 0) {
        return "ended";
    }
    if ((flow.flags & STEM_FLOW_CANDIDATE) != 0 && (flow.state & STEM_STREAM_CHECKED) == 0) {
        return "unchecked";
    }
    return (flow.state & STEM_STREAM_LOWERED) != 0 ? "lowered" : "open";
}

boost::json::object faults_json(const stem_flow& flow) {
    boost::json::object faults;
#define STEM_FAULT_JSON(name, number, reason, label) faults[label] = flow.faults[number];
    STEM_FLOW_FAULTS(STEM_FAULT_JSON)
#undef STEM_FAULT_JSON
    return faults;
}

// In thousandths of a millisecond and of a per cent: what is behind them is noise.
boost::json::value rounded(const std::optional<double>& value, double steps) {
    return value ? boost::json::value(std::round(*value * steps) / steps) : boost::json::value();
}

boost::json::value ssrc_json(const stem_flow& flow) {
    return flow.source[0].window == 0 ? boost::json::value()
                                      : boost::json::value(fmt::format("{:08x}", flow.source[0].ssrc));
}

boost::json::object to_json(const kernel::FlowEntry& flow, std::uint64_t now) {
    boost::json::array types;
    for (const unsigned type : flow.payload_types()) {
        types.push_back(boost::json::object{{"type", type}, {"name", kernel::payload_type_name(type)}});
    }
    boost::json::value seen;
    if (flow.value.last_seen_ns != 0) {
        seen = (now > flow.value.last_seen_ns ? now - flow.value.last_seen_ns : 0) / 1'000'000U;
    }
    return {
        {"direction", label_of(static_cast<stem_direction>(flow.key.direction))},
        {"source", endpoint_json(flow.source())},
        {"destination", endpoint_json(flow.destination())},
        {"kind", kind_name(flow.value.kind)},
        {"rtcp_mux", (flow.value.flags & STEM_FLOW_RTCP_MUX) != 0},
        {"payload_types", std::move(types)},
        {"packets", flow.value.packets},
        {"bytes", flow.value.bytes},
        {"dropped_packets", flow.value.dropped_packets},
        {"dropped_bytes", flow.value.dropped_bytes},
        {"allowed_bytes_per_second", flow.bytes_per_second()},
        {"allowed_packets_per_second", flow.packets_per_second()},
        {"last_seen_ms_ago", std::move(seen)},
        {"state", state_name(flow.value, now)},
        {"ssrc", ssrc_json(flow.value)},
        {"jitter_ms", rounded(flow.jitter_ms(), 1000)},
        {"max_jitter_ms",
         rounded(flow.jitter_ms() ? std::optional(flow.value.max_jitter_us / 1000.0) : std::nullopt, 1000)},
        {"lost", flow.value.lost},
        {"loss", rounded(flow.loss(), 100'000)},
        {"reordered", flow.value.reordered},
        {"repeated", flow.value.repeated},
        {"jumps", flow.value.jumps},
        {"new_sources", flow.value.new_sources},
        {"faults", faults_json(flow.value)},
        {"media_index", flow.value.media_index},
        {"dialog", dialog_text(flow.value.dialog)}};
}

std::string payload_types_text(const kernel::FlowEntry& flow) {
    std::vector<std::string> names;
    for (const unsigned type : flow.payload_types()) {
        names.push_back(kernel::payload_type_name(type));
    }
    return names.empty() ? "-" : fmt::format("{}", fmt::join(names, ","));
}

int run_flows(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto flows = kernel::list_flows(*instance);
    if (!flows) {
        return session.failed(flows.error());
    }
    const std::uint64_t now = kernel::monotonic_ns();
    if (session.json) {
        boost::json::array array;
        for (const auto& flow : *flows) {
            array.push_back(to_json(flow, now));
        }
        Session::print(boost::json::object{{"flows", std::move(array)}});
        return exit_done;
    }
    Table table({{"DIRECTION"},
                 {"SOURCE → DESTINATION"},
                 {"KIND"},
                 {"CODECS"},
                 {"PACKETS", Align::right},
                 {"BYTES", Align::right},
                 {"DROPPED", Align::right},
                 {"ALLOWED", Align::right},
                 {"JITTER", Align::right},
                 {"LOST", Align::right},
                 {"LATE", Align::right},
                 {"STATE"},
                 {"SEEN"},
                 {"DIALOG"}});
    for (const auto& flow : *flows) {
        table.row({std::string(label_of(static_cast<stem_direction>(flow.key.direction))),
                   flow.source().to_string() + " → " + flow.destination().to_string(),
                   std::string(kind_name(flow.value.kind)), payload_types_text(flow),
                   std::to_string(flow.value.packets), size_text(flow.value.bytes),
                   std::to_string(flow.value.dropped_packets), rate_text(flow.bytes_per_second()),
                   flow.jitter_ms() ? fmt::format("{:.1f} ms", *flow.jitter_ms()) : "-",
                   flow.loss() ? fmt::format("{:.2f} %", *flow.loss() * 100) : "-",
                   std::to_string(flow.value.reordered), std::string(state_name(flow.value, now)),
                   ago_text(flow.value.last_seen_ns, now), dialog_text(flow.value.dialog)});
    }
    Session::print(table.empty() ? "no call has media open\n" : table.to_string());
    return exit_done;
}

} // namespace

void add_flows_commands(CLI::App& root, Session& session) {
    session.command(
        root, "flows",
        "Show the open pinholes: the media that calls negotiated.\n"
        "One line for each direction of each stream: what it may send, what it sent, and what of\n"
        "it was dropped; interarrival jitter (RFC 3550), packets that never came, and packets that\n"
        "came late. --json names the cause of each drop.",
        "  stemctl flows\n  stemctl flows --json | jq '.flows[] | select(.dropped_packets > 0)'",
        [&session] { return run_flows(session); });
}

} // namespace stem::stemctl
