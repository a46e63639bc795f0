// SPDX-License-Identifier: Apache-2.0
// Where stemd listens unless its configuration says otherwise.
#pragma once

#include <filesystem>
#include <string_view>

namespace stem::api {

inline std::filesystem::path socket_path(const std::filesystem::path& run_dir, std::string_view instance) {
    return run_dir / instance / "stemd.sock";
}

} // namespace stem::api
