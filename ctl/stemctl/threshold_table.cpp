// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/threshold_table.h"

#include <stem/threshold.h>

#include <fmt/format.h>

namespace stem::stemctl {

std::string thresholds_markdown() {
    std::string text =
        "# Thresholds\n\n"
        "Numbers of the data plane that change while traffic runs. The Security Manager keeps them, each for "
        "a\n"
        "firewall by name (the instance's) or for its default group; what is not set has the default below. "
        "stemd\n"
        "writes them into the kernel when it starts, after each change, and on SIGHUP. This page is the "
        "output "
        "of\n"
        "`stemctl thresholds --markdown`.\n\n"
        "```\n"
        "stemctl thresholds                             what is in force, and who set it\n"
        "stemctl thresholds set keepalive_rate 50       for this instance; --group: for all firewalls\n"
        "stemctl thresholds show keepalive_rate         with its changes\n"
        "stemctl thresholds reset keepalive_rate        back to the group's value, or the default\n"
        "```\n\n"
        "| threshold | unit | default | lowest | highest | meaning |\n|---|---|---:|---:|---:|---|\n";
    for (const auto& info : thresholds()) {
        text += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", info.name, info.unit, info.initial,
                            info.low, info.high, info.help);
    }
    text +=
        "\nWhere the lowest value is 0, 0 switches the check off. A change holds from the next packet on. "
        "Between\nthe thresholds of one check a packet may see one already changed and the other not yet.\n";
    return text;
}

} // namespace stem::stemctl
