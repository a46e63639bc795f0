// SPDX-License-Identifier: Apache-2.0
// Static rules and default policies from a TOML file (docs/rules.md says how to write one).
#pragma once

#include <stem/abi/rule.h>
#include <stem/error.h>

#include <filesystem>
#include <string_view>

namespace stem::kernel {

// Errors name file, line and key. `generation` and `loaded_ns` are left zero.
Result<stem_ruleset> read_rules_file(const std::filesystem::path& path);
// `name` stands for the file in errors.
Result<stem_ruleset> parse_rules(std::string_view text, std::string_view name);

} // namespace stem::kernel
