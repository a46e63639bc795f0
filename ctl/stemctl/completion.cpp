// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/tree_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stem::stemctl {
namespace {

struct Script {
    std::string paths;  // words that lead into a command
    std::string values; // what follows an option
    std::string words;  // what may stand in a command
};

// What bash runs to offer values, or nothing where there is nothing to offer.
std::string offer(const CLI::Option& option) {
    if (const auto values = fixed_values(option); !values.empty()) {
        return fmt::format("compgen -W '{}' -- \"$cur\"", fmt::join(values, " "));
    }
    const std::string kind = value_kind(option);
    if (kind == "IF") {
        return "compgen -W \"$(ls /sys/class/net)\" -- \"$cur\"";
    }
    if (kind == "REASON") {
        return "compgen -W \"$(stemctl reasons --markdown | sed -n 's/^|[^|]*| "
               "`\\([a-z0-9_]*\\)`.*/\\1/p')\" "
               "-- \"$cur\"";
    }
    if (kind == "FILE" || kind == "DIR") {
        return "compgen -f -- \"$cur\"";
    }
    return "true";
}

void describe(const CLI::App& app, const std::string& path, Script& script) {
    std::vector<std::string> words;
    for (const auto* command : visible_commands(app)) {
        words.push_back(command->get_name());
        script.paths += fmt::format("{}'{} {}'", script.paths.empty() ? "" : "|", path, command->get_name());
    }
    bool takes_file = false;
    for (const auto* option : app.get_options()) {
        if (option->get_positional()) {
            takes_file = takes_file || value_kind(*option) == "FILE";
            continue;
        }
        if (option->get_group().empty()) {
            continue;
        }
        std::vector<std::string> names;
        for (const auto& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
        for (const auto& name : option->get_snames()) {
            names.push_back("-" + name);
        }
        words.insert(words.end(), names.begin(), names.end());
        if (value_kind(*option).empty()) {
            continue;
        }
        // The root's options may stand anywhere.
        const std::string within = app.get_parent() == nullptr ? "*" : "'" + path + "'";
        for (const auto& name : names) {
            script.values +=
                fmt::format("        {}:{}) COMPREPLY=($({})); return ;;\n", within, name, offer(*option));
        }
    }
    script.words += fmt::format("        '{}') words='{}'{} ;;\n", path, fmt::join(words, " "),
                                takes_file ? "; files=yes" : "");
    for (const auto* command : visible_commands(app)) {
        describe(*command, path + " " + command->get_name(), script);
    }
}

} // namespace

std::string bash_completion(const CLI::App& root) {
    Script script;
    describe(root, "", script);
    std::vector<std::string> everywhere;
    for (const auto* option : root.get_options()) {
        for (const auto& name : option->get_lnames()) {
            everywhere.push_back("--" + name);
        }
    }
    return fmt::format(R"bash(# bash completion for stemctl: eval "$(stemctl completion bash)"
_stemctl() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} path= words= files= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${{COMP_WORDS[i]}}" in
        {}) path="$path ${{COMP_WORDS[i]}}" ;;
        esac
    done
    case "$path:$prev" in
{}    esac
    case "$path" in
{}    esac
    COMPREPLY=($(compgen -W "$words {}" -- "$cur"))
    if [[ $files && $cur != -* ]]; then
        COMPREPLY+=($(compgen -f -- "$cur"))
    fi
}}
complete -F _stemctl stemctl
)bash",
                       script.paths, script.values, script.words, fmt::join(everywhere, " "));
}

} // namespace stem::stemctl
