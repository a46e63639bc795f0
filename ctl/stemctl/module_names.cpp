// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/module_names.h"

#include <stem/module.h>

#include <CLI/Validators.hpp>
#include <fmt/format.h>

namespace stem::stemctl {
namespace {

std::string joined(std::uint32_t bits, std::string_view between) {
    std::string text;
    for (const auto& info : modules()) {
        if (is_on(bits, info)) {
            text += (text.empty() ? "" : std::string(between)) + std::string(info.label);
        }
    }
    return text;
}

} // namespace

std::uint32_t module_bits(const std::vector<std::string>& names) {
    std::uint32_t bits = 0;
    for (const auto& name : names) {
        if (name == "all") {
            bits |= STEM_MODULES_ALL;
        } else if (const auto* info = find_module(name)) {
            bits |= static_cast<std::uint32_t>(info->module);
        }
    }
    return bits;
}

std::string module_names(std::uint32_t bits) {
    const std::string names = joined(bits, ", ");
    return names.empty() ? "none" : names;
}

std::string initial_modules() {
    return joined(STEM_MODULES_INITIAL, ",");
}

boost::json::object modules_json(std::uint32_t bits) {
    boost::json::object states;
    for (const auto& info : modules()) {
        states[info.label] = is_on(bits, info);
    }
    return states;
}

std::string modules_markdown() {
    std::string text =
        "# Modules\n\n"
        "Parts of the data plane that are switched on and off, each for itself, while traffic runs. A "
        "module\n"
        "that is off costs nothing: the program in the kernel is made without it. This page is the output "
        "of\n"
        "`stemctl modules --markdown`.\n\n"
        "```\n"
        "stemctl modules                            which are on, and since when\n"
        "stemctl modules disable pattern_matcher    and enable\n"
        "stemctl attach --modules flow_monitor,sip_steering …\n"
        "```\n\n"
        "Parsing, the fail-safe list, the deny list and the default policies are no modules: they are always "
        "on.\n"
        "So a packet that a missing module would have judged is judged by what is left, and in the end by "
        "the\n"
        "default policy, which drops unless it was set to pass.\n\n"
        "| module | at first | does | without it |\n|---|---|---|---|\n";
    for (const auto& info : modules()) {
        text += fmt::format("| `{}` | {} | {} | {} |\n", info.label, info.initial ? "on" : "off", info.help,
                            info.without);
    }
    text +=
        "\nA switch loads a fresh program with the same settings and the same maps, and puts it on one port\n"
        "after the other, each in one step: no packet is lost, and each is judged by the program before or\n"
        "the program after. If anything fails, the program before stays, on both ports. Pinholes, rules,\n"
        "deny list, counters and stemd's sockets are not touched. How it is done:\n"
        "[decisions/0014](decisions/0014-modules-and-thresholds.md).\n";
    return text;
}

void add_module_names(CLI::Option& option, bool sets) {
    std::vector<std::string> names;
    for (const auto& info : modules()) {
        names.emplace_back(info.label);
    }
    if (sets) {
        names.emplace_back("all");
        names.emplace_back("none");
        option.delimiter(',')->allow_extra_args(false);
    }
    option.check(CLI::IsMember(names));
}

} // namespace stem::stemctl
