// SPDX-License-Identifier: Apache-2.0
// stemd: options, then the daemon.
#include <CLI/CLI.hpp>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <map>
#include <string>

#include "ctl/kernel/version.h"
#include "ctl/stemd/daemon.h"
#include "ctl/stemd/log.h"

namespace {

using stem::config::LogLevel;

constexpr int failed = 1;
constexpr int misused = 2;

const std::map<std::string, LogLevel> levels{{"debug", LogLevel::debug},
                                             {"info", LogLevel::info},
                                             {"warn", LogLevel::warn},
                                             {"error", LogLevel::error}};

constexpr const char* about =
    "stemd: the controller of STEM, a firewall that understands telephony.\n"
    "\n"
    "It takes over the instance that `stemctl attach` made, gets every SIP message from the data plane, "
    "lets\n"
    "calls in as the Security Manager decides, and opens and closes their media ports. It stays in the\n"
    "foreground and logs to the standard error output; `systemctl start stemd@INSTANCE` runs it as a "
    "service.\n"
    "\n"
    "When it ends, calls that are up go on, and the next stemd takes them over. While it is away, new SIP\n"
    "messages meet the fallback that `stemctl attach` was given.";

constexpr const char* notes =
    "Signals:\n"
    "  SIGTERM, SIGINT  stop; pinholes and calls stay\n"
    "  SIGHUP           read the configuration again, as far as a running stemd can take it over\n"
    "\n"
    "Files:\n"
    "  /etc/stem/stemd.toml              configuration (see --help-config)\n"
    "  /run/stem/INSTANCE/stemd.sock     local API: stemctl, or\n"
    "                                    curl --unix-socket /run/stem/INSTANCE/stemd.sock "
    "http://stemd/v1/status\n"
    "  /var/lib/stem/INSTANCE.db         users, profiles, locations, spam lists\n"
    "\n"
    "Exit status: 0 stopped by a signal, 1 could not start, 2 wrong usage.";

int run(const stem::stemd::Options& options) {
    stem::stemd::open_log();
    auto daemon = stem::stemd::Daemon::start(options);
    if (!daemon) {
        spdlog::error("{}", daemon.error().message());
        return failed;
    }
    (*daemon)->run();
    return 0;
}

int check(const stem::stemd::Options& options) {
    const auto config = stem::stemd::load_config(options);
    if (!config) {
        std::fprintf(stderr, "stemd: %s\n", config.error().message().c_str());
        return failed;
    }
    std::puts("the configuration is sound");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app(about, "stemd");
    app.footer(notes);
    stem::stemd::Options options;
    std::string bpffs;
    std::string run_dir;
    std::string level;
    bool help_config = false;
    bool check_config = false;
    app.add_option("--instance", options.instance, "Which attached instance to run")->capture_default_str();
    app.add_option("--config", options.config_file, "TOML file, instead of /etc/stem/stemd.toml")
        ->type_name("FILE");
    app.add_option("--db", options.database,
                   "SQLite file, or postgresql://USER@HOST/DATABASE, instead of /var/lib/stem/INSTANCE.db")
        ->type_name("FILE");
    app.add_option("--run-dir", run_dir, "Folder for locks and the socket; STEM_RUN_DIR, else /run/stem")
        ->type_name("DIR");
    app.add_option("--bpffs", bpffs, "Where instances are pinned; STEM_BPFFS, else /run/stem/bpf")
        ->type_name("DIR");
    app.add_option("--log-level", level, "Least weight of what is logged, instead of the configured one")
        ->type_name("LEVEL")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    app.add_flag("--check-config", check_config, "Read the configuration, say whether it is sound, and end");
    app.add_flag("--help-config", help_config,
                 "List every key of the configuration with its default, and end");
    app.set_version_flag("--version", "stemd " + std::string(stem::kernel::version));
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) { // --help comes this way too
        return app.exit(error) == 0 ? 0 : misused;
    }
    if (help_config) {
        std::fputs(stem::config::describe().c_str(), stdout);
        return 0;
    }
    if (!level.empty()) {
        options.level = levels.at(level);
    }
    options.locations = stem::kernel::Locations::resolve(bpffs, run_dir);
    return check_config ? check(options) : run(options);
}
