// SPDX-License-Identifier: Apache-2.0
// group: firewalls that share thresholds.
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

struct GroupOptions {
    std::string name;
    std::vector<std::string> firewalls;
};

std::string firewalls_of(const json::value& group) {
    std::string text;
    for (const auto& firewall : members(group, "firewalls")) {
        text += (text.empty() ? "" : " ") + std::string(firewall.as_string());
    }
    return text;
}

std::string show_group(const json::value& group) {
    return fmt::format("group {}: {}\n", member(group, "name"), firewalls_of(group));
}

std::string show_groups(const json::value& answer) {
    Table table({{"GROUP"}, {"FIREWALLS"}});
    for (const auto& group : members(answer, "groups")) {
        table.row({member(group, "name"), firewalls_of(group)});
    }
    return table.empty() ? "no groups: all firewalls have the default group's thresholds\n"
                         : table.to_string();
}

} // namespace

void add_group_commands(CLI::App& root, Session& session) {
    auto* group = Session::group(root, "group",
                                 "Groups of firewalls, which share thresholds (thresholds --group=NAME).");
    auto options = std::make_shared<GroupOptions>();
    const auto path = [options] { return "/v1/groups/" + escaped(options->name); };
    const auto add_name = [&](CLI::App* command) {
        command->add_option("name", options->name, "The group")->required()->type_name("GROUP");
    };
    auto* set = session.command(
        *group, "set", "Say which firewalls are in a group.\nThey leave the group that they were in.",
        "  stemctl group set branches fw1 fw2\n  stemctl thresholds set keepalive_rate 50 --group=branches",
        [&session, options, path] {
            json::array firewalls(options->firewalls.begin(), options->firewalls.end());
            return ask_and_print(session, "PUT", path(), json::object{{"firewalls", std::move(firewalls)}},
                                 show_group);
        });
    add_name(set);
    set->add_option("firewalls", options->firewalls, "By their names")->required()->type_name("FIREWALL");
    auto* del = session.command(
        *group, "del", "Let a group have no firewalls. Its thresholds stay, for whoever joins.",
        "  stemctl group del branches", [&session, options, path] {
            return ask_and_print(session, "DELETE", path(), nullptr, [&](const json::value&) {
                return "group " + options->name + " has no firewalls any more\n";
            });
        });
    add_name(del);
    session.command(*group, "list", "List groups.", "  stemctl group list",
                    [&session] { return ask_and_print(session, "GET", "/v1/groups", nullptr, show_groups); });
    auto* show =
        session.command(*group, "show", "Show a group.", "  stemctl group show branches", [&session, path] {
            return ask_and_print(session, "GET", path(), nullptr, show_group);
        });
    add_name(show);
}

} // namespace stem::stemctl
