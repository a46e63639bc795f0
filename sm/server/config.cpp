// SPDX-License-Identifier: Apache-2.0
#include "sm/server/config.h"

#include "lib/settings/read.h"

#include <charconv>

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

std::optional<Endpoint> endpoint_from(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const auto address = Address::parse(host);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (!address || address->is_v4() == bracketed || error != std::errc() ||
        end != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return Endpoint{.address = *address, .port = port};
}

} // namespace stem::smd
