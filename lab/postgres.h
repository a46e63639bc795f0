// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server of the lab's own: its data in the scratch directory, listening on a unix socket there,
// and run as the user nobody, because it does not run as root.
#pragma once

#include "lab/process.h"

#include <stem/error.h>

#include <filesystem>
#include <optional>
#include <string>

namespace stem::lab {

class Postgres {
  public:
    struct Options {
        std::string password = {}; // of its one user, "stem"; "": none is asked for
        // For measurements: what is committed is on the disk, and statements are not logged. Tests have it
        // quick, and every statement to read.
        bool durable = false;
    };
    // Makes its files, and starts it. Fails where Debian's package postgresql is not installed.
    static Result<Postgres> create(Options options);
    static Result<Postgres> create() { return create(Options()); }

    Result<> start();
    // Cuts its connections; what was committed is kept.
    void stop();
    // Stops all its processes in their tracks, as a machine that hangs: nothing is closed.
    void freeze() const;
    void thaw() const;

    Result<> add_database(const std::string& name) const;
    // "postgresql://stem@/NAME?host=..."
    [[nodiscard]] std::string uri(const std::string& database) const;
    // What psql prints, without alignment or headings.
    Result<std::string> sql(const std::string& database, const std::string& statement) const;

  private:
    Postgres(std::filesystem::path programs, std::filesystem::path folder, Options options)
        : programs_(std::move(programs)), folder_(std::move(folder)), options_(std::move(options)) {}

    [[nodiscard]] Command as_nobody(std::string name, std::vector<std::string> argv) const;
    void signal_all(int number) const;

    std::filesystem::path programs_;
    std::filesystem::path folder_;
    Options options_;
    std::optional<Process> server_;
};

} // namespace stem::lab
