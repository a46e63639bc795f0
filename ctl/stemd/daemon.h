// SPDX-License-Identifier: Apache-2.0
// stemd as a whole: one event loop over signalling, the Security Manager, the local API, timers and signals.
#pragma once

#include <stem/error.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "ctl/config/config.h"
#include "ctl/kernel/locations.h"

namespace stem::stemd {

struct Options {
    std::string instance = "default";
    kernel::Locations locations;
    std::filesystem::path config_file;          // "" = /etc/stem/stemd.toml, if it is there
    std::string database;                       // "" = as configured
    std::optional<config::LogLevel> level = {}; // nothing: as configured
};

// The configuration as the options have it.
Result<config::Config> load_config(const Options& options);

class Daemon {
  public:
    static Result<std::unique_ptr<Daemon>> start(const Options& options);
    // Stops without a trace in the data plane: pinholes and records stay for the next stemd.
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    // Until SIGTERM or SIGINT.
    void run();

  private:
    class Loop;
    explicit Daemon(std::unique_ptr<Loop> loop);
    std::unique_ptr<Loop> loop_;
};

} // namespace stem::stemd
