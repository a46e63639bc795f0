// SPDX-License-Identifier: Apache-2.0
// Whole files as text: configurations written, logs and /proc read.
#pragma once

#include <stem/error.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace stem::lab {

Result<std::string> read_text(const std::filesystem::path& path);
Result<> write_text(const std::filesystem::path& path, std::string_view text);

} // namespace stem::lab
