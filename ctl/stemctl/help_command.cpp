// SPDX-License-Identifier: Apache-2.0
// completion, help-man: the command line about itself.
#include "ctl/kernel/version.h"
#include "ctl/stemctl/commands.h"
#include "ctl/stemctl/tree_text.h"

#include <CLI/Validators.hpp>

#include <memory>

namespace stem::stemctl {

void add_help_commands(CLI::App& root, Session& session) {
    auto shell = std::make_shared<std::string>();
    auto* completion = session.command(
        root, "completion", "Print a completion script for a shell.",
        "  eval \"$(stemctl completion bash)\"\n"
        "  stemctl completion bash > /usr/share/bash-completion/completions/stemctl",
        [&root, shell] {
            // zsh runs bash's script as it is, once its own emulation is loaded.
            Session::print((*shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "") +
                           bash_completion(root));
            return exit_done;
        });
    completion->add_option("shell", *shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));

    // For the build, which makes the manual page of it.
    auto* man =
        session.command(root, "help-man", "Print the manual page.", "  stemctl help-man | man -l -", [&root] {
            Session::print(manual_page(root, std::string(kernel::version)));
            return exit_done;
        });
    man->group("");
}

} // namespace stem::stemctl
