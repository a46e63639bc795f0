// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/commands.h"

#include <bpf/libbpf.h>

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
    using namespace stem::stemctl;
    libbpf_set_print(nullptr); // every error is told once, by whoever met it
    try {
        Session session;
        const auto tree = make_command_tree(session);
        try {
            tree->parse(argc, argv);
        } catch (const CLI::ParseError& error) {
            // CLI11 would only say that a command is missing.
            if (const auto words = tree->remaining(true);
                !words.empty() && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
                std::cerr << "stemctl: '" << words.front() << "' is no command\n";
            }
            return tree->exit(error) == 0 ? exit_done : exit_usage; // help and version are "errors", too
        }
        const int code = session.run();
        std::cout.flush();
        if (!std::cout) {
            std::cerr
                << "stemctl: write to standard output: failed (is the disk full, or the pipe closed?)\n";
            return exit_failed;
        }
        return code;
    } catch (const std::exception& error) {
        std::cerr << "stemctl: " << error.what() << '\n';
        return exit_failed;
    }
}
