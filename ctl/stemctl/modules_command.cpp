// SPDX-License-Identifier: Apache-2.0
// modules, upgrade: fresh programs under traffic.
#include "ctl/kernel/modules.h"

#include "ctl/kernel/clock.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/module_names.h"
#include "ctl/stemctl/quantity.h"
#include "ctl/stemctl/table.h"

#include <stem/module.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace stem::stemctl {
namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;

std::string since_text(const stem_meta& meta, const ModuleInfo& info) {
    const std::uint64_t since = meta.module_since[info.bit];
    return since == 0 ? "" : ago_text(since * ns_per_second, kernel::realtime_ns());
}

boost::json::array list_json(const stem_meta& meta) {
    boost::json::array list;
    for (const auto& info : modules()) {
        const std::uint64_t since = meta.module_since[info.bit];
        list.push_back(boost::json::object{
            {"module", info.label},
            {"on", is_on(meta.modules, info)},
            {"since",
             since == 0 ? boost::json::value() : boost::json::value(utc_time_text(since * ns_per_second))},
            {"help", info.help},
            {"without", info.without},
        });
    }
    return list;
}

// An interrupted change leaves ports that differ from what was meant; it is told, and the next change mends
// it.
Result<bool> is_whole(const kernel::Instance& instance) {
    const auto running = kernel::running_modules(instance);
    if (!running) {
        return std::unexpected(running.error());
    }
    return std::ranges::all_of(*running, [&](std::uint32_t bits) { return bits == instance.meta().modules; });
}

int run_list(const Session& session) {
    const auto instance = session.open();
    if (!instance) {
        return session.failed(instance.error());
    }
    const auto whole = is_whole(*instance);
    if (!whole) {
        return session.failed(whole.error());
    }
    if (!*whole) {
        Session::warn("a change of modules was interrupted, and a port runs others than this list says: "
                      "switch any module, or run stemctl upgrade, to have this list on both");
    }
    const auto& meta = instance->meta();
    if (session.json) {
        Session::print(boost::json::object{{"modules", list_json(meta)}, {"whole", *whole}});
        return exit_done;
    }
    Table table({{"MODULE"}, {"STATE"}, {"SINCE"}, {"DOES"}});
    for (const auto& info : modules()) {
        table.row({std::string(info.label), is_on(meta.modules, info) ? "on" : "off", since_text(meta, info),
                   std::string(info.help)});
    }
    Session::print(table.to_string());
    return exit_done;
}

int run_switch(const Session& session, const std::vector<std::string>& names, bool on) {
    const std::uint32_t bits = module_bits(names);
    const auto change =
        kernel::switch_modules(session.locations(), session.instance, on ? bits : 0, on ? 0 : bits);
    if (!change) {
        return session.failed(change.error());
    }
    const std::uint32_t switched = change->before.modules ^ change->after.modules;
    boost::json::array results;
    std::string text;
    for (const auto& info : modules()) {
        if (!is_on(bits, info)) {
            continue;
        }
        const bool now = is_on(switched, info);
        results.push_back(boost::json::object{{"module", info.label}, {"on", on}, {"switched", now}});
        text += fmt::format("{} is {}{}\n", info.label, on ? "on" : "off", now ? "" : ", as it was");
        if (now && !on) {
            Session::warn(fmt::format("without {}: {}", info.label, info.without));
        }
    }
    session.json ? Session::print(boost::json::object{{"modules", std::move(results)}})
                 : Session::print(text);
    return exit_done;
}

int run_upgrade(const Session& session) {
    const auto change = kernel::upgrade(session.locations(), session.instance);
    if (!change) {
        return session.failed(change.error());
    }
    const auto instance = session.open();
    if (instance && instance->controller()) {
        Session::warn(fmt::format("stemd (process {}) is still the program that was started: restart it",
                                  *instance->controller()));
    }
    boost::json::array fresh;
    for (const auto& info : modules()) {
        if (change->before.module_since[info.bit] == 0) {
            fresh.emplace_back(info.label);
            Session::warn(fmt::format("{} came with this version and is off: stemctl modules enable {}",
                                      info.label, info.label));
        }
    }
    const std::string before(change->before.version);
    const std::string after(change->after.version);
    if (session.json) {
        Session::print(boost::json::object{{"instance", session.instance},
                                           {"before", before},
                                           {"after", after},
                                           {"modules", modules_json(change->after.modules)},
                                           {"new_modules", std::move(fresh)}});
    } else {
        Session::print(fmt::format("'{}' runs the data plane of version {}; it was {}\n", session.instance,
                                   after, before));
    }
    return exit_done;
}

} // namespace

void add_modules_commands(CLI::App& root, Session& session) {
    auto markdown = std::make_shared<bool>(false);
    const auto list = [&session, markdown] {
        if (*markdown) {
            Session::print(modules_markdown());
            return static_cast<int>(exit_done);
        }
        return run_list(session);
    };
    auto* group = session.command(root, "modules",
                                  "Parts of the data plane: list (the default), enable, disable.\n"
                                  "Switched while traffic runs; no packet is lost.",
                                  "  stemctl modules", list);
    group->add_flag("--markdown", *markdown, "As docs/modules.md");
    session.command(*group, "list", "List modules: which are on, since when, and what they do.",
                    "  stemctl modules list\n  stemctl modules list --json", list);

    auto names = std::make_shared<std::vector<std::string>>();
    const auto add_switch = [&](const char* name, const char* help, const char* example, bool on) {
        auto* command = session.command(*group, name, help, example,
                                        [&session, names, on] { return run_switch(session, *names, on); });
        add_module_names(*command->add_option("modules", *names, "As modules list shows them")->required(),
                         false);
    };
    add_switch("enable", "Switch modules on, while traffic runs.",
               "  stemctl modules enable pattern_matcher flow_monitor", true);
    add_switch("disable",
               "Switch modules off, while traffic runs.\n"
               "What they judged is then judged by what is left; each one's absence is told.",
               "  stemctl modules disable pattern_matcher", false);

    session.command(
        root, "upgrade",
        "Put this stemctl's data plane in place of the one that runs.\n"
        "While traffic runs, and with all that the instance holds. Refused, and nothing changed,\n"
        "where this version has other maps: then detach, and attach anew.",
        "  stemctl upgrade", [&session] { return run_upgrade(session); });
}

} // namespace stem::stemctl
