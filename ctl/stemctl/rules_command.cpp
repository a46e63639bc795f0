// SPDX-License-Identifier: Apache-2.0
// rules load, list, check: static rules and default policies.
#include "ctl/kernel/rule_compiler.h"
#include "ctl/kernel/rule_fields.h"
#include "ctl/kernel/rule_shadow.h"
#include "ctl/kernel/rules_file.h"
#include "ctl/kernel/ruleset_map.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/table.h"

#include <fmt/format.h>

#include <memory>

namespace stem::stemctl {
namespace {

template<typename Ruleset>
boost::json::object policy_json(const Ruleset& rules) {
    return {{"inbound", kernel::action_name(rules.policy[STEM_INBOUND])},
            {"outbound", kernel::action_name(rules.policy[STEM_OUTBOUND])}};
}

template<typename Ruleset>
std::string policy_text(const Ruleset& rules) {
    return fmt::format("policy inbound {}, outbound {}", kernel::action_name(rules.policy[STEM_INBOUND]),
                       kernel::action_name(rules.policy[STEM_OUTBOUND]));
}

int run_load(const Session& session, const std::string& file) {
    const auto rules = kernel::read_rules_file(file);
    if (!rules) {
        return session.failed(rules.error());
    }
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto generation = kernel::load_rules(*instance, *rules);
    if (!generation) {
        return session.failed(generation.error());
    }
    if (session.json) {
        Session::print(boost::json::object{
            {"generation", *generation}, {"count", rules->rules.size()}, {"policy", policy_json(*rules)}});
    } else {
        Session::print(fmt::format("loaded {} rules as generation {}: {}\n", rules->rules.size(), *generation,
                                   policy_text(*rules)));
    }
    return exit_done;
}

int run_check(const Session& session, const std::string& file) {
    auto rules = kernel::read_rules_file(file);
    if (!rules) {
        return session.failed(rules.error());
    }
    // Where nothing is attached there are no ports to check the interfaces against.
    const auto instance = session.open();
    if (instance) {
        const auto& names = instance->meta().ifname;
        if (auto good =
                kernel::resolve_interfaces(*rules, {names[STEM_PORT_EXTERNAL], names[STEM_PORT_INTERNAL]});
            !good) {
            return session.failed(good.error());
        }
    }
    if (auto fits = kernel::check_rules_fit(*rules); !fits) {
        return session.failed(fits.error());
    }
    auto warnings = kernel::shadow_warnings(*rules);
    if (!instance && kernel::names_interfaces(*rules)) {
        warnings.push_back(file + ": the interfaces are not checked, as no instance '" + session.instance +
                           "' is attached");
    }
    for (const auto& warning : warnings) {
        Session::warn(warning);
    }
    if (session.json) {
        Session::print(
            boost::json::object{{"valid", true},
                                {"count", rules->rules.size()},
                                {"policy", policy_json(*rules)},
                                {"warnings", boost::json::array(warnings.begin(), warnings.end())}});
    } else {
        Session::print(fmt::format("{}: {} rules, {}\n", file, rules->rules.size(), policy_text(*rules)));
    }
    return exit_done;
}

boost::json::value vlan_json(const stem_rule& rule) {
    return (rule.match & STEM_MATCH_VLAN) != 0 ? boost::json::value(rule.vlan) : boost::json::value();
}

// The interface that a rule names; empty if it names none.
std::string interface_of(const stem_rule& rule, const stem_meta& meta) {
    if ((rule.match & STEM_MATCH_INTERFACE) == 0) {
        return {};
    }
    return meta.ifname[(rule.match & STEM_MATCH_INBOUND) != 0 ? STEM_PORT_EXTERNAL : STEM_PORT_INTERNAL];
}

boost::json::object to_json(const stem_rule& rule, const stem_meta& meta, const stem_counter& hits) {
    const std::string interface = interface_of(rule, meta);
    return {{"name", std::string(rule.name)},
            {"action", kernel::action_name(rule.action)},
            {"log", (rule.flags & STEM_RULE_LOG) != 0},
            {"keep_state", (rule.flags & STEM_RULE_KEEP_STATE) != 0},
            {"direction", kernel::rule_direction(rule)},
            {"source", kernel::rule_source(rule)},
            {"destination", kernel::rule_destination(rule)},
            {"protocol", kernel::rule_protocol(rule)},
            {"source_port", kernel::rule_source_port(rule)},
            {"destination_port", kernel::rule_destination_port(rule)},
            {"vlan", vlan_json(rule)},
            {"interface", interface.empty() ? boost::json::value() : boost::json::value(interface)},
            {"packets", hits.packets},
            {"bytes", hits.bytes}};
}

std::string vlan_text(const stem_rule& rule) {
    return (rule.match & STEM_MATCH_VLAN) == 0 ? "any"
           : rule.vlan == 0                    ? "untagged"
                                               : std::to_string(rule.vlan);
}

int run_list(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto in_force = kernel::rules_in_force(*instance);
    if (!in_force) {
        return session.failed(in_force.error());
    }
    const stem_ruleset& generation = (*in_force)[0];
    const auto rules = kernel::rules_of(generation);
    if (session.json) {
        boost::json::array array;
        for (std::size_t i = 0; i < rules.size(); i++) {
            array.push_back(to_json(rules[i], instance->meta(), kernel::hits_of(generation, i)));
        }
        Session::print(boost::json::object{{"generation", generation.generation},
                                           {"loaded_at", utc_time_text(generation.loaded_ns)},
                                           {"policy", policy_json(generation)},
                                           {"rules", std::move(array)}});
        return exit_done;
    }
    Table table({{"NAME"},
                 {"ACTION"},
                 {"DIRECTION"},
                 {"PROTOCOL"},
                 {"SOURCE"},
                 {"PORT"},
                 {"DESTINATION"},
                 {"PORT"},
                 {"VLAN"},
                 {"PACKETS", Align::right},
                 {"BYTES", Align::right}});
    for (std::size_t i = 0; i < rules.size(); i++) {
        const auto& rule = rules[i];
        const auto hits = kernel::hits_of(generation, i);
        const std::string interface = interface_of(rule, instance->meta());
        table.row({rule.name, kernel::rule_action(rule),
                   interface.empty() ? kernel::rule_direction(rule) : "in by " + interface,
                   kernel::rule_protocol(rule), kernel::rule_source(rule), kernel::rule_source_port(rule),
                   kernel::rule_destination(rule), kernel::rule_destination_port(rule), vlan_text(rule),
                   std::to_string(hits.packets), size_text(hits.bytes)});
    }
    Session::print(fmt::format("generation {}, loaded {}: {}\n", generation.generation,
                               local_time_text(generation.loaded_ns), policy_text(generation)));
    Session::print(table.empty() ? "no rules\n" : table.to_string());
    return exit_done;
}

} // namespace

void add_rules_commands(CLI::App& root, Session& session) {
    auto* rules = Session::group(root, "rules", "Static rules and default policies, from a TOML file.");
    auto file = std::make_shared<std::string>();

    auto* load =
        session.command(*rules, "load",
                        "Put the rules of a file in force.\n"
                        "All at once, in place of those before. A file with a mistake changes nothing.",
                        "  stemctl rules load /etc/stem/rules.toml\n\nA file:\n"
                        "  [policy]\n  inbound = \"drop\"\n  outbound = \"pass\"\n\n"
                        "  [[rule]]\n  name = \"dns\"\n  action = \"pass\"\n  direction = \"outbound\"\n"
                        "  protocol = \"udp\"\n  destination_port = \"53\"",
                        [&session, file] { return run_load(session, *file); });
    load->add_option("file", *file, "Rules, as TOML")->required()->type_name("FILE");

    auto* check = session.command(
        *rules, "check",
        "Read a file as load would, and change nothing.\n"
        "Warns of rules that can never match, since an earlier one takes all that they would.",
        "  stemctl rules check rules.toml", [&session, file] { return run_check(session, *file); });
    check->add_option("file", *file, "Rules, as TOML")->required()->type_name("FILE");

    session.command(*rules, "list", "Show the rules in force, in order, and what each has matched.",
                    "  stemctl rules list", [&session] { return run_list(session); });

    add_rules_test_command(*rules, session);
}

} // namespace stem::stemctl
