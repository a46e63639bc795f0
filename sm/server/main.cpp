// SPDX-License-Identifier: Apache-2.0
// stem-smd: options, then the daemon.
#include "sm/server/audit.h"
#include "sm/server/daemon.h"

#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <map>
#include <string>

namespace {

using stem::smd::LogLevel;

constexpr int failed = 1;
constexpr int misused = 2;

const std::map<std::string, LogLevel> levels{{"debug", LogLevel::debug},
                                             {"info", LogLevel::info},
                                             {"warn", LogLevel::warn},
                                             {"error", LogLevel::error}};

constexpr const char* about =
    "stem-smd: the Security Manager of STEM, a firewall that understands telephony, as a service of its "
    "own.\n"
    "\n"
    "It decides who may call whom, for firewalls that ask over a control channel, and is administered over\n"
    "HTTPS (stemctl --sm). Every peer shows a certificate, and its role says what it may ask. It stays in "
    "the\n"
    "foreground and logs to the standard error output.";

constexpr const char* notes =
    "Signals:\n"
    "  SIGTERM, SIGINT  stop\n"
    "  SIGHUP           read configuration, certificates and revocation list again\n"
    "\n"
    "Files:\n"
    "  /etc/stem/stem-smd.toml   configuration (see --help-config)\n"
    "  /var/lib/stem-smd/smd.db  users, profiles, locations, spam lists, thresholds\n"
    "\n"
    "Exit status: 0 stopped by a signal, 1 could not start, 2 wrong usage.";

int run(const stem::smd::Options& options) {
    stem::smd::open_log();
    auto daemon = stem::smd::Daemon::start(options);
    if (!daemon) {
        spdlog::error("{}", daemon.error().message());
        return failed;
    }
    (*daemon)->run();
    return 0;
}

int check(const stem::smd::Options& options) {
    const auto config = stem::smd::load_config(options);
    const auto good = config ? stem::smd::check(*config) : std::unexpected(config.error());
    if (!good) {
        std::fprintf(stderr, "stem-smd: %s\n", good.error().message().c_str());
        return failed;
    }
    std::puts("the configuration and the certificates are sound");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app(about, "stem-smd");
    app.footer(notes);
    stem::smd::Options options;
    std::string level;
    bool help_config = false;
    bool check_config = false;
    app.add_option("--config", options.config_file, "TOML file, instead of /etc/stem/stem-smd.toml")
        ->type_name("FILE");
    app.add_option("--db", options.database,
                   "SQLite file, or postgresql://USER@HOST/DATABASE, instead of the configured one")
        ->type_name("DATABASE");
    app.add_option("--log-level", level, "Least weight of what is logged, instead of the configured one")
        ->type_name("LEVEL")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    app.add_flag("--check-config", check_config,
                 "Read the configuration and the certificates, say whether they are sound, and end");
    app.add_flag("--help-config", help_config,
                 "List every key of the configuration with its default, and end");
    app.set_version_flag("--version", "stem-smd " STEM_VERSION);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { // --help comes this way too
        return app.exit(error) == 0 ? 0 : misused;
    }
    if (help_config) {
        std::fputs(stem::settings::describe(stem::smd::schema()).c_str(), stdout);
        return 0;
    }
    if (!level.empty()) {
        options.level = levels.at(level);
    }
    return check_config ? check(options) : run(options);
}
