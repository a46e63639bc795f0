// SPDX-License-Identifier: Apache-2.0
// states: connections that rules with keep_state let through.
#include "ctl/kernel/clock.h"
#include "ctl/kernel/state_list.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/table.h"

#include <stem/reason.h>

#include <netinet/in.h>

#include <fmt/format.h>

namespace stem::stemctl {
namespace {

std::string protocol_text(unsigned protocol) {
    switch (protocol) {
    case IPPROTO_TCP:
        return "tcp";
    case IPPROTO_UDP:
        return "udp";
    case IPPROTO_ICMP:
        return "icmp";
    case IPPROTO_ICMPV6:
        return "icmpv6";
    default:
        return std::to_string(protocol);
    }
}

boost::json::object endpoint_json(const Endpoint& endpoint) {
    return {{"address", endpoint.address.to_string()}, {"port", endpoint.port}};
}

std::uint64_t milliseconds_since(std::uint64_t then_ns, std::uint64_t now_ns) {
    return (now_ns > then_ns ? now_ns - then_ns : 0) / 1'000'000U;
}

boost::json::object to_json(const kernel::StateEntry& entry, std::uint64_t now) {
    boost::json::value proxy;
    if (entry.value.proxy_port != 0) {
        proxy = endpoint_json(entry.proxy());
    }
    const auto counts = [&](stem_direction direction) {
        return boost::json::object{{"packets", entry.value.packets[direction]},
                                   {"bytes", entry.value.bytes[direction]}};
    };
    return {{"protocol", protocol_text(entry.key.protocol)},
            {"phase", kernel::phase_name(entry.value.phase)},
            {"begun", label_of(static_cast<stem_direction>(entry.value.origin))},
            {"inside", endpoint_json(entry.inside())},
            {"outside", endpoint_json(entry.outside())},
            {"proxy", std::move(proxy)},
            {"inbound", counts(STEM_INBOUND)},
            {"outbound", counts(STEM_OUTBOUND)},
            {"age_ms", milliseconds_since(entry.value.created_ns, now)},
            {"last_seen_ms_ago", milliseconds_since(entry.value.last_seen_ns, now)}};
}

std::string ends_text(const kernel::StateEntry& entry) {
    std::string inside = entry.inside().to_string();
    if (entry.value.proxy_port != 0) {
        inside += " (at " + entry.proxy().to_string() + ")";
    }
    const std::string outside = entry.outside().to_string();
    return entry.value.origin == STEM_INBOUND ? outside + " → " + inside : inside + " → " + outside;
}

int run_list(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto states = kernel::list_states(*instance);
    if (!states) {
        return session.failed(states.error());
    }
    const auto figures = kernel::read_state_figures(*instance);
    if (!figures) {
        return session.failed(figures.error());
    }
    const std::uint64_t now = kernel::monotonic_ns();
    if (session.json) {
        boost::json::array array;
        for (const auto& entry : *states) {
            array.push_back(to_json(entry, now));
        }
        const auto& counters = figures->counters;
        Session::print(boost::json::object{{"states", std::move(array)},
                                           {"room", figures->room},
                                           {"steered", figures->usage.steered},
                                           {"created", counters[STEM_STATES_CREATED]},
                                           {"ended", counters[STEM_STATES_EXPIRED]},
                                           {"refused_full", counters[STEM_STATES_REFUSED_FULL]},
                                           {"refused_source", counters[STEM_STATES_REFUSED_SOURCE]},
                                           {"refused_form", counters[STEM_STATES_REFUSED_FORM]},
                                           {"refused_window", counters[STEM_STATES_REFUSED_WINDOW]}});
        return exit_done;
    }
    Table table({{"PROTOCOL"},
                 {"PHASE"},
                 {"CONNECTION"},
                 {"IN", Align::right},
                 {"OUT", Align::right},
                 {"BEGAN"},
                 {"SEEN"}});
    for (const auto& entry : *states) {
        table.row({protocol_text(entry.key.protocol), std::string(kernel::phase_name(entry.value.phase)),
                   ends_text(entry), size_text(entry.value.bytes[STEM_INBOUND]),
                   size_text(entry.value.bytes[STEM_OUTBOUND]), ago_text(entry.value.created_ns, now),
                   ago_text(entry.value.last_seen_ns, now)});
    }
    Session::print(table.empty() ? "no rule keeps a connection\n" : table.to_string());
    if (figures->counters[STEM_STATES_REFUSED_FULL] != 0) {
        Session::warn(fmt::format("{} connections found no room among {}",
                                  figures->counters[STEM_STATES_REFUSED_FULL], figures->room));
    }
    return exit_done;
}

int run_flush(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto removed = kernel::sweep_states(*instance, true);
    if (!removed) {
        return session.failed(removed.error());
    }
    if (session.json) {
        Session::print(boost::json::object{{"removed", *removed}});
    } else {
        Session::print(fmt::format("{} entries are gone\n", *removed));
    }
    return exit_done;
}

} // namespace

void add_states_commands(CLI::App& root, Session& session) {
    auto* states = session.command(
        root, "states",
        "Show kept connections: what rules with keep_state let through, and its answers.\n"
        "One line each, with what came in and went out. They live in the kernel, and outlive their\n"
        "rules; a deny goes before them.",
        "  stemctl states\n  stemctl states --json | jq '.states[] | select(.phase == \"syn_sent\")'",
        [&session] { return run_list(session); });
    session.command(*states, "flush",
                    "End all kept connections, and forget who was steered to the SIP proxy.\n"
                    "Their next packets are judged as any other's: TCP that is up is cut.",
                    "  stemctl states flush", [&session] { return run_flush(session); });
}

} // namespace stem::stemctl
