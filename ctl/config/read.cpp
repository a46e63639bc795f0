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

Result<> check(const Config& config) {
    const auto& sm = config.sm;
    if (sm.mode == ManagerMode::remote && sm.servers.empty()) {
        return fail("use configuration", "[sm] mode is \"remote\", and [sm] servers names none",
                    R"(write servers = ["sm1.example.org:7443"])");
    }
    if (sm.mode == ManagerMode::remote && sm.hold >= config.call.decision_timeout) {
        return fail("use configuration",
                    "[sm] hold_ms is not less than decision_timeout_ms: calls would be refused before the "
                    "policy says what becomes of them",
                    "set a smaller hold_ms, or a larger decision_timeout_ms");
    }
    return sm.policy.check();
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
