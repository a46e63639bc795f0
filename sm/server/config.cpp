// SPDX-License-Identifier: Apache-2.0
#include "sm/server/config.h"

#include "lib/settings/read.h"

namespace stem::smd {

Result<Config> read_config(const std::filesystem::path& file) {
    if (!file.empty()) {
        return settings::read_file(schema(), file);
    }
    return std::filesystem::exists(default_file) ? settings::read_file(schema(), default_file)
                                                 : Result<Config>();
}

sm::audit::Settings audit_settings(const Config& config) {
    const auto& audit = config.audit;
    // A database elsewhere has no place beside it.
    std::filesystem::path beside =
        config.sm.database.starts_with('/') ? config.sm.database : Config::SecurityManager().database;
    return {.file = audit.file.empty() ? beside.replace_extension(".audit.jsonl")
                                       : std::filesystem::path(audit.file),
            .octets = std::uint64_t{audit.file_mib} << 20U,
            .files = audit.files,
            .sync = audit.sync};
}

} // namespace stem::smd
