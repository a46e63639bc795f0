// SPDX-License-Identifier: Apache-2.0
// events: sampled verdicts, as they happen.
#include "ctl/kernel/counter_table.h"
#include "ctl/kernel/event_stream.h"
#include "ctl/kernel/rule_fields.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/event_rule.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/signals.h"

#include <stem/reason.h>

#include <CLI/Validators.hpp>

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace stem::stemctl {
namespace {

constexpr auto poll_interval = std::chrono::milliseconds(200);

struct EventsOptions {
    bool follow = false;
    std::uint64_t count = 0; // 0: no limit
    std::string reason;      // empty: all
};

boost::json::object endpoint_json(const stem_addr& address, std::uint16_t port) {
    return {{"address", Address(address).to_string()}, {"port", port}};
}

boost::json::object to_json(const stem_event& event, const std::optional<std::string>& rule) {
    boost::json::object json{{"time", utc_time_text(kernel::EventStream::wall_clock_ns(event))},
                             {"direction", label_of(static_cast<stem_direction>(event.direction))},
                             {"reason", label_of(event.reason)},
                             {"kind", label_of(stem_kind_of(static_cast<stem_reason>(event.reason)))},
                             {"would_drop", event.monitored != 0},
                             {"length", event.length},
                             {"vlan", event.vlan},
                             {"ip_version", event.ip_version}};
    if (event.ip_version != 0) {
        json["protocol"] = kernel::protocol_name(event.protocol);
        json["source"] = endpoint_json(event.src, event.sport);
        json["destination"] = endpoint_json(event.dst, event.dport);
    }
    if (event.rule != 0) {
        json["rule"] = {{"number", event.rule},
                        {"generation", event.generation},
                        {"name", rule ? boost::json::value(*rule) : boost::json::value()}};
    }
    return json;
}

std::string to_text(const stem_event& event, const std::optional<std::string>& rule) {
    std::string text =
        fmt::format("{}  {:<8}  {:<18}", local_time_text(kernel::EventStream::wall_clock_ns(event)),
                    label_of(static_cast<stem_direction>(event.direction)), label_of(event.reason));
    if (event.ip_version != 0) {
        const auto end = [](const stem_addr& address, std::uint16_t port) {
            return port == 0 ? Address(address).to_string()
                             : Endpoint{.address = Address(address), .port = port}.to_string();
        };
        text += fmt::format("  {} {} → {}", kernel::protocol_name(event.protocol),
                            end(event.src, event.sport), end(event.dst, event.dport));
    }
    text += fmt::format("  {} B", event.length);
    if (event.monitored != 0) {
        text += "  would drop";
    }
    if (event.vlan != 0) {
        text += fmt::format("  vlan {}", event.vlan);
    }
    if (event.rule != 0) {
        text += rule ? fmt::format("  rule '{}'", *rule)
                     : fmt::format("  rule {} of generation {}", event.rule, event.generation);
    }
    return text + "\n";
}

int run_events(const Session& session, const EventsOptions& options) {
    std::optional<stem_reason> wanted;
    if (!options.reason.empty()) {
        wanted = reason_from(options.reason);
        if (!wanted) {
            return session.failed(fail("show events of reason '" + options.reason + "'", "no such reason",
                                       "see stemctl reasons")
                                      .error());
        }
    }
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    auto stream = kernel::EventStream::open(*instance);
    if (!stream) {
        return session.failed(stream.error());
    }
    EventRules rules(*instance);
    const StopSignals stop;
    std::uint64_t shown = 0;
    const auto full = [&] { return options.count != 0 && shown >= options.count; };
    const auto show = [&](const stem_event& event) {
        if (!wanted || event.reason == *wanted) {
            const auto rule = rules.name_of(event);
            session.json ? Session::print(to_json(event, rule)) : Session::print(to_text(event, rule));
            shown++;
        }
        return !full();
    };
    do {
        const auto polled = stream->poll(options.follow ? poll_interval : std::chrono::milliseconds(0), show);
        if (!polled) {
            return session.failed(polled.error());
        }
        std::cout.flush();
    } while (options.follow && !full() && !stop.arrived() && std::cout);
    return exit_done;
}

} // namespace

void add_events_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<EventsOptions>();
    auto* events = session.command(
        root, "events",
        "Show sampled verdicts as they happen.\n"
        "Newest last. What was shown is forgotten; one reader at a time. A busy instance reports a\n"
        "sample only (stemctl status counts the rest): for numbers see stemctl drops.",
        "  stemctl events --follow --reason no_pinhole\n  stemctl events --count 10 --json",
        [&session, options] { return run_events(session, *options); });
    events->add_flag("--follow,-f", options->follow, "Go on until interrupted, or until --count is reached");
    events->add_option("--count,-n", options->count, "End after so many")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    events->add_option("--reason", options->reason, "Only of this reason (stemctl reasons)")
        ->type_name("REASON");
}

} // namespace stem::stemctl
