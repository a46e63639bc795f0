// SPDX-License-Identifier: Apache-2.0
#include "lib/settings/read.h"

#include "ctl/config/parameter.h"

namespace stem::config {

Result<Config> read_text(std::string_view toml, const std::string& file) {
    return settings::read_text(schema(), toml, file);
}

Result<Config> read_file(const std::filesystem::path& file) {
    return settings::read_file(schema(), file);
}

std::string describe() {
    return settings::describe(schema());
}

Changes compare(const Config& before, const Config& after) {
    return settings::compare(schema(), before, after);
}

Config merge_live(const Config& before, const Config& after) {
    return settings::merge_live(schema(), before, after);
}

} // namespace stem::config
