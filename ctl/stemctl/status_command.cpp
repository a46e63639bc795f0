// SPDX-License-Identifier: Apache-2.0
// status: what an instance is and how it does.
#include "ctl/kernel/clock.h"
#include "ctl/kernel/counter_table.h"
#include "ctl/kernel/denials.h"
#include "ctl/kernel/rule_fields.h"
#include "ctl/kernel/ruleset_map.h"
#include "ctl/kernel/xdp_link.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/instance_json.h"
#include "ctl/stemctl/module_names.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <stem/reason.h>

#include <fmt/format.h>

#include <algorithm>

namespace stem::stemctl {
namespace {

constexpr std::array kinds = {STEM_KIND_FORWARD, STEM_KIND_STACK,   STEM_KIND_STEER,
                              STEM_KIND_DROP,    STEM_KIND_RELEASE, STEM_KIND_ANSWER};

struct Usage {
    std::uint32_t used = 0;
    std::uint32_t capacity = 0;
};

struct Status {
    std::array<bool, STEM_PORTS> linked{};
    Usage flows;
    Usage dialogs;
    kernel::DenyUse deny{};
    std::uint64_t generation = 0;
    std::uint32_t rules = 0;
    std::array<std::uint8_t, STEM_DIRECTIONS> policy{};
    Usage peers;
    stem_posture posture{};
    kernel::EventCounts events;
    std::uint32_t monitored = 0; // networks that are only monitored
    bool monitors_all = false;
    std::uint64_t would_drops = 0; // packets
    boost::json::value manager;    // as stemd tells it; null: stemd is away
    std::array<std::array<stem_counter, STEM_KIND_NOTE + 1>, STEM_DIRECTIONS> totals{};
};

template<typename M>
Result<Usage> usage_of(const Result<M>& map) {
    if (!map) {
        return std::unexpected(map.error());
    }
    const auto used = map->count();
    if (!used) {
        return std::unexpected(used.error());
    }
    return Usage{.used = *used, .capacity = map->shape().max_entries};
}

Result<kernel::DenyUse> deny_usage(const kernel::Instance& instance) {
    const auto denials = kernel::Denials::open(instance);
    if (!denials) {
        return std::unexpected(denials.error());
    }
    return denials->use();
}

// Addresses and networks together, which people put there.
Usage deny_list_usage(const kernel::DenyUse& use) {
    const auto& addresses = use[STEM_DENY_TABLE_ADDRESSES];
    const auto& networks = use[STEM_DENY_TABLE_NETWORKS];
    return {.used = addresses.used + networks.used, .capacity = addresses.capacity + networks.capacity};
}

boost::json::object to_json(const kernel::DenyUse& use) {
    boost::json::object tables;
    for (const auto& table : use) {
        tables[kernel::label_of(table.table)] = boost::json::object{{"used", table.used},
                                                                    {"capacity", table.capacity},
                                                                    {"full", table.is_full()},
                                                                    {"refused", table.refused}};
    }
    return tables;
}

std::string deny_text(const kernel::DenyTableUse& use) {
    return fmt::format("{} of {} {}{}{}", use.used, use.capacity, kernel::text_of(use.table),
                       use.is_full() ? ", FULL" : "",
                       use.refused > 0 ? fmt::format(", {} found no room", use.refused) : "");
}

Result<stem_posture> read_posture(const kernel::Instance& instance) {
    const auto map = kernel::PostureMap::open(instance.pin("posture"));
    if (!map) {
        return std::unexpected(map.error());
    }
    const auto posture = map->get(0);
    if (!posture) {
        return std::unexpected(posture.error());
    }
    return posture->value_or(stem_posture{});
}

// "embedded", or how the link to a remote one is.
std::string manager_text(const boost::json::value& manager) {
    if (!manager.is_object()) {
        return "not known: stemd is away";
    }
    if (member(manager, "mode") != "remote") {
        return member(manager, "mode");
    }
    const bool connected = member(manager, "connected") == "true";
    std::string text = connected ? fmt::format("{} at {}, since {}", member(manager, "manager"),
                                               member(manager, "server"), member(manager, "since"))
                                 : fmt::format("NOT CONNECTED since {}: {}", member(manager, "since"),
                                               member(manager, "failure"));
    if (member(manager, "on_loss") == "cache") {
        text += member(manager, "snapshot_usable") == "true"
                    ? fmt::format("; snapshot of {}", member(manager, "snapshot"))
                    : "; NO USABLE SNAPSHOT";
    }
    return text;
}

// "normal", or who goes first and since when.
std::string posture_text(const stem_posture& posture) {
    if (posture.bits == 0) {
        return "normal";
    }
    std::string text = "known peers first:";
    text += (posture.bits & STEM_POSTURE_KNOWN_SIP) != 0 ? " SIP" : "";
    text += (posture.bits & STEM_POSTURE_KNOWN_SYN) != 0 ? " SYN" : "";
    return text + ", since " + ago_text(posture.since_ns, kernel::monotonic_ns());
}

// Takes a part of the status over, or its error.
template<typename T>
bool take(T& into, Result<T> from, Error& error) {
    if (!from) {
        error = from.error();
        return false;
    }
    into = std::move(*from);
    return true;
}

Result<Status> read_status(const kernel::Instance& instance) {
    Status status;
    Error error;
    if (!take(status.flows, usage_of(instance.flows()), error) ||
        !take(status.dialogs, usage_of(instance.dialogs()), error) ||
        !take(status.deny, deny_usage(instance), error) ||
        !take(status.peers, usage_of(kernel::PeerMap::open(instance.pin("peers"))), error) ||
        !take(status.posture, read_posture(instance), error) ||
        !take(status.events, kernel::read_event_counts(instance), error)) {
        return std::unexpected(std::move(error));
    }
    const auto monitored = instance.monitored();
    const auto would_drops = kernel::read_would_drops(instance);
    if (!monitored || !would_drops) {
        return std::unexpected(monitored ? would_drops.error() : monitored.error());
    }
    const auto walked = monitored->for_each([&](const stem_monitored_key& key, std::uint8_t) {
        status.monitored++;
        status.monitors_all = status.monitors_all || key.prefix_length == 0;
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    for (const auto& row : *would_drops) {
        status.would_drops +=
            row.by_direction[STEM_INBOUND].packets + row.by_direction[STEM_OUTBOUND].packets;
    }
    const auto in_force = kernel::rules_in_force(instance);
    if (!in_force) {
        return std::unexpected(in_force.error());
    }
    const stem_ruleset& generation = (*in_force)[0];
    status.generation = generation.generation;
    status.rules = generation.count;
    std::ranges::copy(generation.policy, status.policy.begin());
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        const auto index = kernel::linked_interface(instance, port);
        status.linked[port] = index && *index == instance.meta().ifindex[port];
    }
    const auto rows = kernel::read_counters(instance);
    if (!rows) {
        return std::unexpected(rows.error());
    }
    for (const auto& row : *rows) {
        for (std::size_t direction = 0; direction < STEM_DIRECTIONS; direction++) {
            auto& total = status.totals[direction][stem_kind_of(row.reason)];
            total.packets += row.by_direction[direction].packets;
            total.bytes += row.by_direction[direction].bytes;
        }
    }
    return status;
}

boost::json::object to_json(const Usage& usage) {
    return {{"used", usage.used}, {"capacity", usage.capacity}};
}

boost::json::object totals_json(const Status& status) {
    boost::json::object totals;
    for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        boost::json::object of_direction;
        for (const auto kind : kinds) {
            const auto& total = status.totals[direction][kind];
            of_direction[label_of(kind)] =
                boost::json::object{{"packets", total.packets}, {"bytes", total.bytes}};
        }
        totals[label_of(direction)] = std::move(of_direction);
    }
    return totals;
}

void print_json(const kernel::Instance& instance, const Status& status) {
    const auto& meta = instance.meta();
    auto ports = ports_json(meta);
    ports["external"].as_object()["attached"] = status.linked[STEM_PORT_EXTERNAL];
    ports["internal"].as_object()["attached"] = status.linked[STEM_PORT_INTERNAL];
    const auto controller = instance.controller();
    Session::print(boost::json::object{
        {"instance", instance.name()},
        {"mode", mode_name(meta.mode)},
        {"ports", std::move(ports)},
        {"attached_at", utc_time_text(meta.attached_at * 1'000'000'000U)},
        {"version", std::string(meta.version)},
        {"schema", meta.schema},
        {"fallback", meta.fallback_open != 0 ? "open" : "closed"},
        {"controller",
         boost::json::object{{"running", controller.has_value()},
                             {"pid", controller ? boost::json::value(*controller) : boost::json::value()}}},
        {"security_manager", status.manager},
        {"modules", modules_json(meta.modules)},
        {"policy", boost::json::object{{"inbound", kernel::action_name(status.policy[STEM_INBOUND])},
                                       {"outbound", kernel::action_name(status.policy[STEM_OUTBOUND])}}},
        {"rules", boost::json::object{{"generation", status.generation}, {"count", status.rules}}},
        {"flows", to_json(status.flows)},
        {"dialogs", to_json(status.dialogs)},
        {"deny", to_json(deny_list_usage(status.deny))},
        {"deny_tables", to_json(status.deny)},
        {"peers", to_json(status.peers)},
        {"posture",
         boost::json::object{{"known_sip_first", (status.posture.bits & STEM_POSTURE_KNOWN_SIP) != 0},
                             {"known_syn_first", (status.posture.bits & STEM_POSTURE_KNOWN_SYN) != 0}}},
        {"monitor_only", boost::json::object{{"everybody", status.monitors_all},
                                             {"networks", status.monitored},
                                             {"would_drop_packets", status.would_drops}}},
        {"events", boost::json::object{{"sent", status.events.sent},
                                       {"suppressed", status.events.suppressed},
                                       {"lost", status.events.lost}}},
        {"totals", totals_json(status)},
    });
}

void print_text(const kernel::Instance& instance, const Status& status) {
    const auto& meta = instance.meta();
    const auto port = [&](std::size_t side) {
        return fmt::format("{} (index {}, {}{})", meta.ifname[side], meta.ifindex[side],
                           xdp_mode_name(meta.xdp_mode[side]), status.linked[side] ? "" : ", NOT ATTACHED");
    };
    const auto controller = instance.controller();
    const std::uint64_t now = kernel::realtime_ns();
    std::string text;
    const auto line = [&](std::string_view name, const std::string& value) {
        text += fmt::format("{:<11} {}\n", name, value);
    };
    line("instance", instance.name());
    line("mode", std::string(mode_name(meta.mode)));
    line("external", port(STEM_PORT_EXTERNAL));
    line("internal", port(STEM_PORT_INTERNAL));
    line("attached", ago_text(meta.attached_at * 1'000'000'000U, now) + ", by version " + meta.version);
    line("stemd", controller ? fmt::format("running (process {})", *controller)
                             : fmt::format("away: SIP is {}",
                                           meta.fallback_open != 0 ? "forwarded unjudged" : "dropped"));
    line("manager", manager_text(status.manager));
    line("modules", module_names(meta.modules));
    line("policy", fmt::format("inbound {}, outbound {}", kernel::action_name(status.policy[STEM_INBOUND]),
                               kernel::action_name(status.policy[STEM_OUTBOUND])));
    line("rules", fmt::format("{} (generation {})", status.rules, status.generation));
    line("flows", fmt::format("{} of {}", status.flows.used, status.flows.capacity));
    line("dialogs", fmt::format("{} of {}", status.dialogs.used, status.dialogs.capacity));
    for (const auto& table : status.deny) {
        line(table.table == STEM_DENY_TABLE_ADDRESSES ? "denied" : "", deny_text(table));
    }
    line("peers", fmt::format("{} of {}", status.peers.used, status.peers.capacity));
    line("posture", posture_text(status.posture));
    if (status.monitored > 0 || status.would_drops > 0) {
        line("monitor only", fmt::format("{}; {} packets would have been dropped",
                                         status.monitors_all    ? "EVERYBODY"
                                         : status.monitored > 0 ? fmt::format("{} networks", status.monitored)
                                                                : "nobody now",
                                         status.would_drops));
    }
    line("events", fmt::format("{} sent, {} suppressed, {} lost", status.events.sent,
                               status.events.suppressed, status.events.lost));
    Table table({{.name = "", .align = Align::left},
                 {.name = "INBOUND", .align = Align::right},
                 {.name = "", .align = Align::right},
                 {.name = "OUTBOUND", .align = Align::right},
                 {.name = "", .align = Align::right}});
    for (const auto kind : kinds) {
        const auto& in = status.totals[STEM_INBOUND][kind];
        const auto& out = status.totals[STEM_OUTBOUND][kind];
        table.row({std::string(label_of(kind)), std::to_string(in.packets), size_text(in.bytes),
                   std::to_string(out.packets), size_text(out.bytes)});
    }
    Session::print(text + "\n" + table.to_string());
}

int run_status(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    auto status = read_status(*instance);
    if (!status) {
        return session.failed(status.error());
    }
    if (instance->controller()) {
        // Where stemd does not answer, all else is worth telling.
        if (auto answer = ask_stemd(session, "GET", "/v1/status"); answer && answer->is_object()) {
            const auto* manager = answer->as_object().if_contains("security_manager");
            status->manager = manager == nullptr ? boost::json::value() : *manager;
        }
    }
    session.json ? print_json(*instance, *status) : print_text(*instance, *status);
    return exit_done;
}

} // namespace

void add_status_commands(CLI::App& root, Session& session) {
    session.command(root, "status", "Show what the instance is, what it holds, and what it did with packets.",
                    "  stemctl status\n  stemctl status --json | jq .totals.inbound.drop.packets",
                    [&session] { return run_status(session); });
}

} // namespace stem::stemctl
