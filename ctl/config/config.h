// SPDX-License-Identifier: Apache-2.0
// stemd's configuration: a TOML file, of which every key has a default. ctl/config/table.cpp lists the keys.
#pragma once

#include <ctl/tcp/settings.h>
#include <stem/error.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/call/settings.h"
#include "ctl/fragment/reassembly.h"
#include "ctl/mgcp/mgcp_parser.h"
#include "ctl/smlink/on_loss.h"
#include "lib/settings/parameter.h"
#include "sm/audit/trail.h"
#include "sm/auth/settings.h"
#include "sm/settings.h"

namespace stem::config {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

struct Log {
    LogLevel level = LogLevel::info;
    std::uint32_t drops_per_second = 10; // lines about dropped messages; the rest is told as a number
};

struct Api {
    std::string socket;        // "" = <run-dir>/<instance>/stemd.sock
    std::string mode = "0660"; // octal
    std::uint32_t connections = 32;
    std::chrono::milliseconds timeout{5000}; // for a request to come and its answer to go
};

// Where the Security Manager runs.
enum class ManagerMode : std::uint8_t { embedded, remote };

struct SecurityManager {
    ManagerMode mode = ManagerMode::embedded;
    // Of a remote one.
    std::vector<std::string> servers;
    std::string certificate = "/etc/stem/tls/firewall.crt";
    std::string key = "/etc/stem/tls/firewall.key";
    std::string ca = "/etc/stem/tls/ca.crt";
    std::string crl = "/etc/stem/tls/ca.crl";
    smlink::OnLoss on_loss = smlink::OnLoss::hold;
    std::chrono::milliseconds hold{2000};
    std::chrono::seconds retry_after{5};
    std::chrono::milliseconds query_timeout{1000};
    std::chrono::milliseconds reconnect_min{100};
    std::chrono::milliseconds reconnect_max{10000};
    std::chrono::milliseconds skew{5000};
    std::string cache; // "" = /var/lib/stem/<instance>.snapshot
    std::chrono::seconds cache_max_age{86400};
    // Of an embedded one.
    std::string database; // "" = /var/lib/stem/<instance>.db
    sm::Settings policy;
    std::chrono::milliseconds drill_delay{0}; // decisions come this late, on purpose
};

// The audit trail of an embedded Security Manager.
struct Audit {
    std::string file; // "" = beside the database
    std::uint32_t file_mib = 16;
    std::uint32_t files = 10;
    std::chrono::milliseconds sync{1000};

    // `database`: the file of an embedded Security Manager's, or "" where it is elsewhere.
    [[nodiscard]] sm::audit::Settings settings(const std::filesystem::path& database,
                                               const std::string& instance) const {
        std::filesystem::path beside = database;
        if (beside.empty()) {
            beside = "/var/lib/stem/" + instance + ".db";
        }
        return {.file = file.empty() ? beside.replace_extension(".audit.jsonl") : std::filesystem::path(file),
                .octets = std::uint64_t{file_mib} << 20U,
                .files = files,
                .sync = sync};
    }
};

struct Peers {
    std::vector<Cidr> trunks;                      // known for good
    std::chrono::milliseconds call_memory{600000}; // known so long after the last answered call
};

struct Frames {
    std::uint32_t chunks = 8192;       // of 4 KiB, shared by all sockets
    std::uint32_t ring_size = 2048;    // entries of each ring; a power of two
    std::uint32_t unknown_queue = 512; // frames of unknown sources that wait while known peers are served
};

struct Parsers {
    std::vector<std::string> load{"sip"};
    std::vector<std::string> mgcp_ports{"2427", "2727"}; // gateway's and call agent's (RFC 3435 3.5)
    mgcp::Settings mgcp;

    [[nodiscard]] bool loads(std::string_view name) const {
        return std::ranges::find(load, name) != load.end();
    }
};

struct Config {
    Parsers parsers;
    call::Settings call;
    tcp::Settings tcp;
    SecurityManager sm;
    Audit audit;
    auth::Settings auth;
    Peers peers;
    Frames frames;
    fragment::Limits fragments;
    Log log;
    Api api;
};

inline constexpr std::string_view default_file = "/etc/stem/stemd.toml";

// Errors name file, line and key, and what is allowed there.
Result<Config> read_text(std::string_view toml, const std::string& file);
Result<Config> read_file(const std::filesystem::path& file);

// What no key can say for itself: a remote Security Manager needs servers; a call must not be refused for
// want of a decision before it has been held.
Result<> check(const Config& config);

// By whether a running stemd can take a change over.
using settings::Changes;
Changes compare(const Config& before, const Config& after);

// `before` with those parameters of `after` that a running stemd can take over.
Config merge_live(const Config& before, const Config& after);

// All sections and keys with type, range, default and help, in Markdown: docs/config.md.
std::string describe();

} // namespace stem::config
