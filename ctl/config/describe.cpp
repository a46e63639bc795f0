// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ctl/config/parameter.h"

namespace stem::config {

std::string describe() {
    std::string out = fmt::format(
        "# Configuration of stemd\n"
        "\n"
        "stemd reads `{}` if it is there, or the file that `--config` names. It is TOML; every key has a\n"
        "default, and a key or value that stemd does not know is an error that names file, line and key.\n"
        "This page is what `stemd --help-config` prints. Keys marked *live* take effect on SIGHUP, the "
        "others "
        "on a restart.\n",
        default_file);
    const Config defaults;
    for (const Section& section : sections()) {
        out += fmt::format("\n## [{}]\n\n{}\n\n", section.name, section.help);
        for (const Parameter& parameter : parameters()) {
            if (parameter.section == section.name) {
                out += fmt::format("- `{} = {}`: {}.{}\n  {}\n", parameter.key, literal(parameter, defaults),
                                   allowed(parameter), parameter.live ? " *live*" : "", parameter.help);
            }
        }
    }
    return out;
}

} // namespace stem::config
