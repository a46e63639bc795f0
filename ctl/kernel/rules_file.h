// SPDX-License-Identifier: Apache-2.0
// Static rules and default policies from a TOML file (docs/rules.md says how to write one).
#pragma once

#include "ctl/kernel/rules.h"

#include <filesystem>
#include <string_view>

namespace stem::kernel {

// Errors name file, line and key. Interfaces are left to resolve_interfaces().
Result<Rules> read_rules_file(const std::filesystem::path& path);
// `name` stands for the file in errors.
Result<Rules> parse_rules(std::string_view text, std::string_view name);

} // namespace stem::kernel
