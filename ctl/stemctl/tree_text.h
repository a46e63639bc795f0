// SPDX-License-Identifier: Apache-2.0
// Texts made from the tree of commands, so that they cannot say anything else than the program does.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string>
#include <vector>

namespace stem::stemctl {

// The subcommands that are not hidden, in order.
std::vector<const CLI::App*> visible_commands(const CLI::App& app);
// The values that an option takes, where these are a fixed set.
std::vector<std::string> fixed_values(const CLI::Option& option);
// "IF" of "IF:FILTER": what kind of value it takes. Empty for a flag.
std::string value_kind(const CLI::Option& option);

std::string bash_completion(const CLI::App& root);
// A page for man(7), section 1.
std::string manual_page(const CLI::App& root, const std::string& version);

} // namespace stem::stemctl
