// SPDX-License-Identifier: Apache-2.0
// calls list, show, drop: what stemd follows now.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

std::string duration_of(const json::value& object, std::string_view name) {
    const auto* value = object.as_object().if_contains(name);
    if (value == nullptr || !value->is_number()) {
        return "-";
    }
    const std::chrono::duration<double> seconds(value->to_number<double>());
    return duration_text(std::chrono::duration_cast<std::chrono::nanoseconds>(seconds));
}

std::string show_list(const json::value& answer) {
    Table table({{"ID"},
                 {"STATE"},
                 {"DIRECTION"},
                 {"CALLER"},
                 {"CALLEE"},
                 {"AGE", Align::right},
                 {"TALK", Align::right},
                 {"STREAMS", Align::right}});
    for (const auto& call : members(answer, "calls")) {
        const std::string target = member(call, "target");
        table.row({member(call, "id"), member(call, "state"), member(call, "direction"),
                   member(call, "caller"),
                   target.empty() ? member(call, "callee") : member(call, "callee") + " => " + target,
                   duration_of(call, "age_seconds"), duration_of(call, "talk_seconds"),
                   std::to_string(members(call, "media").size())});
    }
    return table.empty() ? "no calls\n" : table.to_string();
}

std::string show_one(const json::value& call) {
    std::string text;
    const auto line = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) {
            text += fmt::format("{:<10} {}\n", name, value);
        }
    };
    line("call", member(call, "id") + ", " + member(call, "state") + ", " + member(call, "direction"));
    line("from", member(call, "caller"));
    line("to", member(call, "callee"));
    line("forwarded", member(call, "target"));
    line("decision", member(call, "decision"));
    line("Call-ID", member(call, "call_id"));
    line("started", member(call, "started") + ", " + duration_of(call, "age_seconds") + " ago");
    line("talking", duration_of(call, "talk_seconds"));
    Table table({{"STREAM"},
                 {"FROM"},
                 {"TO"},
                 {"PACKETS", Align::right},
                 {"BYTES", Align::right},
                 {"DROPPED", Align::right},
                 {"SILENT", Align::right},
                 {"TYPES"}});
    for (const auto& stream : members(call, "media")) {
        table.row({member(stream, "kind") + " " + member(stream, "direction"), member(stream, "from"),
                   member(stream, "to"), member(stream, "packets"), member(stream, "bytes"),
                   member(stream, "dropped_packets"), duration_of(stream, "silent_seconds"),
                   member(stream, "payload_types")});
    }
    return table.empty() ? text : text + "\n" + table.to_string();
}

} // namespace

void add_calls_commands(CLI::App& root, Session& session) {
    const auto list = [&session] { return ask_and_print(session, "GET", "/v1/calls", nullptr, show_list); };
    auto* calls =
        session.command(root, "calls", "Calls that stemd follows now: list (the default), show, drop.",
                        "  stemctl calls", list);
    session.command(*calls, "list", "List calls: who with whom, in which state, for how long.",
                    "  stemctl calls list\n  stemctl calls list --json | jq -r '.calls[].id'", list);

    auto id = std::make_shared<std::string>();
    auto* show = session.command(*calls, "show", "Show one call with its decision and its media streams.",
                                 "  stemctl calls show 1f", [&session, id] {
                                     return ask_and_print(session, "GET", "/v1/calls/" + escaped(*id),
                                                          nullptr, show_one);
                                 });
    show->add_option("id", *id, "As calls list shows it")->required()->type_name("ID");

    auto* drop = session.command(
        *calls, "drop",
        "Close a call's pinholes and forget it.\n"
        "Its media stop at once. The phones are not told: they hang up by themselves when they hear "
        "nothing,\n"
        "and their BYE is let through.",
        "  stemctl calls drop 1f", [&session, id] {
            return ask_and_print(session, "DELETE", "/v1/calls/" + escaped(*id), nullptr,
                                 [&](const json::value&) { return fmt::format("call {} dropped\n", *id); });
        });
    drop->add_option("id", *id, "As calls list shows it")->required()->type_name("ID");
}

} // namespace stem::stemctl
