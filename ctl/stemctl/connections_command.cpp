// SPDX-License-Identifier: Apache-2.0
// connections list, reset: SIP over TCP, as stemd follows it.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

std::string duration_of(const json::value& object, std::string_view name) {
    const std::chrono::duration<double> seconds(object.at(name).to_number<double>());
    return duration_text(std::chrono::duration_cast<std::chrono::nanoseconds>(seconds));
}

// "12 in, 11 out"
std::string both(const json::value& connection, std::string_view name) {
    return fmt::format("{} in, {} out", member(connection.at("inbound"), name),
                       member(connection.at("outbound"), name));
}

std::string show_list(const json::value& answer) {
    Table table({{"ID"},
                 {"STATE"},
                 {"OUTSIDE"},
                 {"INSIDE"},
                 {"BEGUN BY"},
                 {"AGE", Align::right},
                 {"SILENT", Align::right},
                 {"MESSAGES"},
                 {"HELD"},
                 {"REPEATED"}});
    for (const auto& each : members(answer, "connections")) {
        const std::string served_by = member(each, "served_by");
        table.row({member(each, "id"), member(each, "state"), member(each, "outside"),
                   served_by.empty() ? member(each, "inside") : member(each, "inside") + " => " + served_by,
                   member(each, "direction") == "inbound" ? "outside" : "inside",
                   duration_of(each, "age_seconds"), duration_of(each, "silent_seconds"),
                   both(each, "messages"), both(each, "held_octets"), both(each, "repeated_segments")});
    }
    return table.empty() ? "no connections\n" : table.to_string();
}

} // namespace

void add_connections_commands(CLI::App& root, Session& session) {
    const auto list = [&session] {
        return ask_and_print(session, "GET", "/v1/connections", nullptr, show_list);
    };
    auto* connections =
        session.command(root, "connections", "SIP connections over TCP: list (the default), reset.",
                        "  stemctl connections", list);
    session.command(
        *connections, "list",
        "List SIP connections over TCP.\n"
        "HELD: octets of messages that wait for a decision. REPEATED: segments that stemd had to send "
        "again.\n"
        "An arrow shows the SIP proxy that serves a connection to another address.",
        "  stemctl connections list\n"
        "  stemctl connections list --json | jq '.connections[] | select(.silent_seconds > 3600)'",
        list);

    auto id = std::make_shared<std::string>();
    auto* reset =
        session.command(*connections, "reset",
                        "End a connection, with a reset to both ends.\nCalls that were made over it go on.",
                        "  stemctl connections reset 1f", [&session, id] {
                            return ask_and_print(session, "DELETE", "/v1/connections/" + escaped(*id),
                                                 nullptr, [&](const json::value&) {
                                                     return fmt::format("connection {} reset\n", *id);
                                                 });
                        });
    reset->add_option("id", *id, "As connections list shows it")->required()->type_name("ID");
}

} // namespace stem::stemctl
