// SPDX-License-Identifier: Apache-2.0
// Files of keys and certificates: written whole or not at all, and read with a look at who else may.
#pragma once

#include <stem/error.h>

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace stem::pki {

inline constexpr mode_t secret_mode = 0600;
inline constexpr mode_t public_mode = 0644;

// What was there is there until the new content is on the disk. The mode is the file's from its first octet
// on.
Result<> write_file(const std::filesystem::path& file, std::string_view content, mode_t mode);
Result<std::string> read_file(const std::filesystem::path& file);
// Refuses a file that its group or others may touch.
Result<std::string> read_secret_file(const std::filesystem::path& file);

} // namespace stem::pki
