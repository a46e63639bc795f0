// SPDX-License-Identifier: Apache-2.0
// firewall: the firewalls that are connected with a Security Manager, and instructions to them.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

#include <memory>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

struct FirewallOptions {
    std::string name;
    std::string source;
    std::uint32_t lifetime = 0;
    std::string note;
};

std::string show_firewalls(const json::value& answer) {
    Table table(
        {{"FIREWALL"}, {"ADDRESS"}, {"INSTANCE"}, {"SOFTWARE"}, {"SINCE"}, {"THRESHOLDS", Align::right}});
    for (const auto& row : members(answer, "firewalls")) {
        table.row({member(row, "name"), member(row, "address"), member(row, "instance"),
                   member(row, "software"), member(row, "since"), member(row, "thresholds_version")});
    }
    return table.empty() ? "no firewall is connected\n" : table.to_string();
}

// Firewalls are known to a Security Manager that is a service of its own.
int needs_remote(const Session& session) {
    static_cast<void>(
        session.failed(Error{.attempt = "ask for firewalls",
                             .cause = "no Security Manager is named, and the one in stemd has no others",
                             .remedy = "give --sm https://HOST:PORT with --sm-cert, --sm-key, --sm-ca"}));
    return exit_usage;
}

int run_list(const Session& session) {
    return session.sm.empty() ? needs_remote(session)
                              : ask_and_print(session, "GET", "/v1/firewalls", nullptr, show_firewalls);
}

int run_deny(const Session& session, const FirewallOptions& options) {
    if (session.sm.empty()) {
        return needs_remote(session);
    }
    const json::object body{
        {"source", options.source}, {"lifetime", options.lifetime}, {"note", options.note}};
    return ask_and_print(session, "POST", "/v1/firewalls/" + escaped(options.name) + "/deny", body,
                         [&](const json::value& /*answer*/) {
                             return fmt::format("firewall {} was told to drop what comes from {}\n",
                                                options.name, options.source);
                         });
}

} // namespace

void add_firewall_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<FirewallOptions>();
    auto* group =
        Session::group(root, "firewall", "Firewalls that are connected with a Security Manager (--sm).");
    session.command(*group, "list", "List them.", "  stemctl firewall list --sm https://sm1.example.org:7443",
                    [&session] { return run_list(session); });
    auto* deny = session.command(*group, "deny", "Tell one to drop what comes from a source.",
                                 "  stemctl firewall deny fw1 203.0.113.9 --for 600 --note scans",
                                 [&session, options] { return run_deny(session, *options); });
    deny->add_option("name", options->name, "As firewall list shows it")->required()->type_name("NAME");
    deny->add_option("source", options->source, "An address or a network")->required()->type_name("SOURCE");
    deny->add_option("--for", options->lifetime, "Seconds; 0: for ever")
        ->type_name("SECONDS")
        ->capture_default_str();
    deny->add_option("--note", options->note, "Why, for those who read the list")->type_name("TEXT");
}

} // namespace stem::stemctl
