// SPDX-License-Identifier: Apache-2.0
// stem-smd's configuration: a TOML file. config_table.cpp lists the keys.
#pragma once

#include "lib/settings/parameter.h"
#include "sm/audit/trail.h"
#include "sm/auth/settings.h"
#include "sm/endpoint_text.h"
#include "sm/settings.h"
#include "sm/tls/credentials.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace stem::smd {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

struct Config {
    struct Server {
        std::vector<std::string> listen{"0.0.0.0:7443", "[::]:7443"};
        std::uint32_t connections = 1024; // whose peers have shown who they are
        std::uint32_t handshakes = 64;    // that have not yet
        std::chrono::milliseconds timeout{5000};
        std::uint32_t header = 8192;
        bool passwords = false; // administrators may come without a certificate
    } server;
    struct Tls {
        std::string certificate = "/etc/stem/tls/server.crt";
        std::string key = "/etc/stem/tls/server.key";
        std::string ca = "/etc/stem/tls/ca.crt";
        std::string crl = "/etc/stem/tls/ca.crl";

        [[nodiscard]] tls::Files files() const { return {certificate, key, ca, crl}; }
    } tls;
    struct Channel {
        std::chrono::milliseconds skew{5000};
        std::chrono::milliseconds idle{15000};
        std::chrono::seconds snapshot{60};
    } channel;
    struct SecurityManager {
        std::string database = "/var/lib/stem-smd/smd.db";
        sm::Settings policy;
    } sm;
    struct Audit {
        std::string file; // "" = beside the database
        std::uint32_t file_mib = 16;
        std::uint32_t files = 10;
        std::chrono::milliseconds sync{1000};
    } audit;
    auth::Settings auth;
    struct Log {
        LogLevel level = LogLevel::info;
        std::uint32_t refusals_per_second = 20;
    } log;
};

inline constexpr std::string_view default_file = "/etc/stem/stem-smd.toml";

const settings::Schema<Config>& schema();
// "" = the default file, or the defaults where it is not there.
Result<Config> read_config(const std::filesystem::path& file);

sm::audit::Settings audit_settings(const Config& config);

using sm::endpoint_from;

} // namespace stem::smd
