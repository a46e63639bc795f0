// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/tree_text.h"

#include <sstream>

namespace stem::stemctl {
namespace {

// roff takes backslashes, and dots and quotes at the start of a line, for its own.
std::string escaped(const std::string& text) {
    std::string safe;
    bool line_start = true;
    for (const char c : text) {
        if (line_start && (c == '.' || c == '\'')) {
            safe += "\\&";
        }
        if (c == '\\') {
            safe += "\\e";
        } else if (c == '-') {
            safe += "\\-";
        } else {
            safe += c;
        }
        line_start = c == '\n';
    }
    return safe;
}

std::string option_heading(const CLI::Option& option) {
    std::string heading = option.get_positional() ? value_kind(option) : option.get_name(false, true);
    const auto values = fixed_values(option);
    if (!values.empty()) {
        std::string list;
        for (const auto& value : values) {
            list += (list.empty() ? "" : "|") + value;
        }
        return heading + " " + list;
    }
    if (!option.get_positional() && !value_kind(option).empty()) {
        heading += " " + value_kind(option);
    }
    return heading;
}

std::string options_text(const CLI::App& app) {
    std::string text;
    for (const auto* option : app.get_options()) {
        if (option->get_group().empty()) {
            continue;
        }
        text +=
            ".TP\n\\fB" + escaped(option_heading(*option)) + "\\fR\n" + escaped(option->get_description());
        if (!option->get_default_str().empty()) {
            text += " (default: " + escaped(option->get_default_str()) + ")";
        }
        text += "\n";
    }
    return text;
}

void add_command(const CLI::App& command, const std::string& path, std::string& text) {
    const auto below = visible_commands(command);
    if (below.empty()) {
        text +=
            ".SS " + escaped(path) + "\n" + escaped(command.get_description()) + "\n" + options_text(command);
        text += ".PP\n.nf\n" + escaped(command.get_footer()) + "\n.fi\n";
    }
    for (const auto* child : below) {
        add_command(*child, path + " " + child->get_name(), text);
    }
}

} // namespace

std::string manual_page(const CLI::App& root, const std::string& version) {
    std::string text = ".TH STEMCTL 1 \"\" \"STEM " + version + "\" \"STEM\"\n";
    text += ".SH NAME\nstemctl \\- " + escaped("load, read and change the STEM telephony firewall") + "\n";
    text += ".SH SYNOPSIS\n.B stemctl\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fICOMMAND OPTIONS\\fR]\n";
    text += ".SH DESCRIPTION\n" + escaped(root.get_description()) + "\n";
    text += ".SH OPTIONS\nThese may stand before or after any command.\n" + options_text(root);
    text += ".SH COMMANDS\n";
    for (const auto* command : visible_commands(root)) {
        add_command(*command, command->get_name(), text);
    }
    text += ".SH EXIT STATUS\n0: done. 1: failed; stderr says what, why and what to do. 2: wrong usage.\n";
    text += ".SH ENVIRONMENT\n.TP\n\\fBSTEM_BPFFS\\fR, \\fBSTEM_RUN_DIR\\fR\nWhat \\-\\-bpffs and "
            "\\-\\-run\\-dir say where they are not given.\n";
    return text;
}

} // namespace stem::stemctl
