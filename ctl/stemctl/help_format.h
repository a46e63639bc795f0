// SPDX-License-Identifier: Apache-2.0
// Help: a list of commands shows the first line of each one's description, its own page all of it.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string>

namespace stem::stemctl {

inline std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

class HelpFormat : public CLI::Formatter {
  public:
    HelpFormat() {
        label("SUBCOMMAND", "COMMAND");
        label("SUBCOMMANDS", "COMMANDS");
        label("Subcommands", "Commands");
        label("Positionals", "Arguments");
        label("REQUIRED", "(required)");
        label("TEXT", "");
        column_width(26);
    }

    std::string make_subcommand(const CLI::App* command) const override {
        const std::string& name = command->get_name();
        const std::size_t indent = 2;
        const std::size_t gap =
            get_column_width() > name.size() + indent ? get_column_width() - name.size() - indent : 1;
        return std::string(indent, ' ') + name + std::string(gap, ' ') +
               first_line(command->get_description()) + "\n";
    }
};

} // namespace stem::stemctl
