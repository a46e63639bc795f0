// SPDX-License-Identifier: Apache-2.0
// stem-smd as a whole: one event loop over connections, timers and signals.
#pragma once

#include "sm/server/config.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace stem::smd {

struct Options {
    std::filesystem::path config_file;  // "" = /etc/stem/stem-smd.toml, if it is there
    std::string database;               // "" = as configured
    std::optional<LogLevel> level = {}; // nothing: as configured
};

// The configuration as the options have it.
Result<Config> load_config(const Options& options);
// That, with all files that it names read and judged.
Result<> check(const Config& config);

class Daemon {
  public:
    static Result<std::unique_ptr<Daemon>> start(const Options& options);
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

} // namespace stem::smd
