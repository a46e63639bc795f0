// SPDX-License-Identifier: Apache-2.0
// thresholds: numbers that change while traffic runs. Kept by the Security Manager in stemd; the kernel has
// what is in force.
#include "ctl/kernel/instance.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/stemd_client.h"
#include "ctl/stemctl/table.h"
#include "ctl/stemctl/threshold_table.h"

#include <stem/threshold.h>

#include <fmt/format.h>

#include <memory>

namespace stem::stemctl {
namespace {

namespace json = boost::json;

constexpr const char* default_group = "true"; // what CLI11 makes of an option without its value

struct ThresholdOptions {
    std::string name;
    std::int64_t value = 0;
    bool all = false;
    std::string group; // "true" = the default group; else a name
    bool markdown = false;
};

std::string target_of(const Session& session, const ThresholdOptions& options, const std::string& name) {
    return "/v1/thresholds" + (name.empty() ? "" : "/" + escaped(name)) +
           (options.group.empty()            ? query_of({{"firewall", session.instance}})
            : options.group == default_group ? std::string()
                                             : query_of({{"group", options.group}}));
}

Result<stem_thresholds> in_kernel(const kernel::Instance& instance) {
    const auto map = kernel::ThresholdMap::open(instance.pin("thresholds"));
    if (!map) {
        return std::unexpected(map.error());
    }
    const auto values = map->get(0);
    if (!values) {
        return std::unexpected(values.error());
    }
    return values->value_or(stem_thresholds{});
}

// As the Security Manager tells it, where it is away.
json::object from_kernel(const ThresholdInfo& info, std::uint32_t value) {
    return {{"name", info.name}, {"value", value},          {"unit", info.unit}, {"origin", nullptr},
            {"change", nullptr}, {"default", info.initial}, {"low", info.low},   {"high", info.high},
            {"help", info.help}, {"in_force", value}};
}

std::string change_text(const json::value& row) {
    const auto* object = row.if_object();
    const auto* change = object == nullptr ? nullptr : object->if_contains("change");
    if (change == nullptr || change->is_null()) {
        return {};
    }
    return fmt::format("{} by {} (version {})", member(*change, "at"), member(*change, "by"),
                       member(*change, "version"));
}

std::string list_text(const json::array& rows) {
    Table table({{"THRESHOLD"},
                 {"VALUE", Align::right},
                 {"UNIT"},
                 {"DEFAULT", Align::right},
                 {"RANGE"},
                 {"FROM"},
                 {"CHANGED"}});
    for (const auto& row : rows) {
        table.row({member(row, "name"), member(row, "value"), member(row, "unit"), member(row, "default"),
                   member(row, "low") + " to " + member(row, "high"), member(row, "origin"),
                   change_text(row)});
    }
    return table.to_string();
}

void warn_of_unusable(const json::value& answer) {
    for (const auto& entry : members(answer, "unusable")) {
        Session::warn(fmt::format("{} = {} is stored, but this version has no such threshold, or another "
                                  "range: it is not used (stemctl thresholds reset {})",
                                  member(entry, "name"), member(entry, "value"), member(entry, "name")));
    }
}

int print_list(const Session& session, json::object answer) {
    warn_of_unusable(answer);
    if (session.json) {
        Session::print(answer);
    } else {
        Session::print(list_text(answer["thresholds"].as_array()));
    }
    return exit_done;
}

// What the Security Manager says, beside what the kernel has.
int list_of_stemd(const Session& session, const ThresholdOptions& options,
                  const std::optional<stem_thresholds>& kernel) {
    auto answer = ask_stemd(session, "GET", target_of(session, options, {}));
    if (!answer) {
        return session.failed(answer.error());
    }
    auto& list = answer->as_object();
    list["source"] = session.sm.empty() ? "stemd" : "security_manager";
    for (auto& row : list["thresholds"].as_array()) {
        const auto* info = find_threshold(member(row, "name"));
        if (info == nullptr || !kernel) {
            continue;
        }
        const std::uint32_t in_force = (*kernel).*info->field;
        row.as_object()["in_force"] = in_force;
        if (std::to_string(in_force) != member(row, "value")) {
            Session::warn(
                fmt::format("the kernel has {} = {}: stemd's SIGHUP writes them anew", info->name, in_force));
        }
    }
    return print_list(session, std::move(list));
}

// Does stemd say that it does not keep the thresholds itself?
bool is_kept_elsewhere(const Session& session, const ThresholdOptions& options) {
    constexpr int misdirected = 421;
    const auto answer = ask_stemd(session, "GET", target_of(session, options, {}));
    return !answer && answer.error().code == misdirected;
}

int run_list(const Session& session, const ThresholdOptions& options) {
    if (options.markdown) {
        Session::print(thresholds_markdown());
        return exit_done;
    }
    if (!options.group.empty() || !session.sm.empty()) {
        return list_of_stemd(session, options, std::nullopt);
    }
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto kernel = in_kernel(*instance);
    if (!kernel) {
        return session.failed(kernel.error());
    }
    const bool remote = instance->controller() && is_kept_elsewhere(session, options);
    if (instance->controller() && !remote) {
        return list_of_stemd(session, options, *kernel);
    }
    json::array rows;
    for (const auto& info : thresholds()) {
        rows.push_back(from_kernel(info, (*kernel).*info.field));
    }
    if (!session.json) {
        Session::warn(remote ? "the Security Manager is elsewhere (--sm): these are the kernel's values"
                             : "stemd is away: these are the kernel's values; who set them, it would know");
    }
    return print_list(session, {{"firewall", session.instance},
                                {"version", nullptr},
                                {"thresholds", std::move(rows)},
                                {"unusable", json::array()},
                                {"source", "kernel"}});
}

std::string show_text(const json::value& answer) {
    std::string text = fmt::format("{}: {}\n{} {} ({}); default {}, range {} to {}\n", member(answer, "name"),
                                   member(answer, "help"), member(answer, "value"), member(answer, "unit"),
                                   member(answer, "origin"), member(answer, "default"), member(answer, "low"),
                                   member(answer, "high"));
    Table table({{"VERSION", Align::right}, {"VALUE", Align::right}, {"FOR"}, {"AT"}, {"BY"}});
    for (const auto& change : members(answer, "changes")) {
        const std::string value = member(change, "value");
        const std::string firewall = member(change, "firewall");
        table.row({member(change, "version"), value.empty() ? "reset" : value,
                   firewall.empty() ? "all" : firewall, member(change, "at"), member(change, "by")});
    }
    return table.empty() ? text : text + "\n" + table.to_string();
}

int run_show(const Session& session, const ThresholdOptions& options) {
    return ask_and_print(session, "GET", target_of(session, options, options.name), nullptr, show_text);
}

// Changes need the Security Manager.
int change(const Session& session, const std::string& attempt, const std::string& method,
           const std::string& target, const json::value& body,
           const std::function<std::string(const json::value&)>& show) {
    const auto instance = session.open();
    if (session.sm.empty() && instance && !instance->controller()) {
        return session.failed(Error{.attempt = attempt,
                                    .cause = "the Security Manager keeps the thresholds, and stemd, in which "
                                             "it runs, is away",
                                    .remedy = "start it (systemctl start stemd@" + session.instance +
                                              ", or stemd --instance " + session.instance + ")"});
    }
    return ask_and_print(session, method, target, body, show);
}

int run_set(const Session& session, const ThresholdOptions& options) {
    return change(session, fmt::format("set threshold {} to {}", options.name, options.value), "PUT",
                  target_of(session, options, options.name), json::object{{"value", options.value}},
                  [](const json::value& answer) {
                      return fmt::format("{} is {} {}\n", member(answer, "name"), member(answer, "value"),
                                         member(answer, "unit"));
                  });
}

int run_reset(const Session& session, const ThresholdOptions& options) {
    if (options.all == !options.name.empty()) {
        const Error wrong{.attempt = "reset thresholds",
                          .cause = options.all ? "a name and --all are given both" : "no name is given",
                          .remedy = "name one, or give --all"};
        (void)session.failed(wrong);
        return exit_usage;
    }
    const std::string what = options.all ? "all thresholds" : "threshold " + options.name;
    return change(session, "reset " + what, "DELETE",
                  target_of(session, options, options.all ? "" : options.name), nullptr,
                  [&](const json::value& answer) {
                      return options.all ? fmt::format("{} reset\n", member(answer, "reset"))
                                         : options.name + " is reset\n";
                  });
}

} // namespace

void add_thresholds_commands(CLI::App& root, Session& session) {
    auto options = std::make_shared<ThresholdOptions>();
    const auto list = [&session, options] { return run_list(session, *options); };
    const auto add_group = [&](CLI::App* command, const char* help) {
        command->add_flag("--group", options->group, help);
    };
    const auto add_name = [&](CLI::App* command) {
        return command->add_option("name", options->name, "As thresholds list shows it")->type_name("NAME");
    };
    auto* group = session.command(root, "thresholds",
                                  "Numbers that change under traffic: list (the default), show, set, reset.",
                                  "  stemctl thresholds", list);
    group->add_flag("--markdown", options->markdown, "As docs/thresholds.md");
    auto* listing = session.command(*group, "list",
                                    "List thresholds: what is in force, and who set it.\n"
                                    "With stemd away, what the kernel has.",
                                    "  stemctl thresholds list\n  stemctl thresholds list --json", list);
    add_group(
        listing,
        "The default group's, which hold where a firewall has none of its own; --group=NAME: a group's");

    auto* show = session.command(*group, "show", "Show one threshold with its changes.",
                                 "  stemctl thresholds show keepalive_rate",
                                 [&session, options] { return run_show(session, *options); });
    add_name(show)->required();
    add_group(show, "As the default group has it, or --group=NAME");

    auto* set = session.command(*group, "set", "Set a threshold, in the store and in the kernel at once.",
                                "  stemctl thresholds set keepalive_rate 50",
                                [&session, options] { return run_set(session, *options); });
    add_name(set)->required();
    set->add_option("value", options->value, "In its unit")->required()->type_name("VALUE");
    add_group(set, "For the default group, all firewalls that have no value of their own; --group=NAME: for "
                   "those of a group");

    auto* reset = session.command(
        *group, "reset", "Take back what was set: the group's value or the default holds again.",
        "  stemctl thresholds reset keepalive_rate\n  stemctl thresholds reset --all",
        [&session, options] { return run_reset(session, *options); });
    add_name(reset);
    reset->add_flag("--all", options->all, "All that are set");
    add_group(reset, "The default group's, or --group=NAME");
}

} // namespace stem::stemctl
