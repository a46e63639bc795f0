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
    // Makes its files, with one user "stem" whose password is `password` ("": none is asked for), and starts
    // it. Fails where Debian's package postgresql is not installed.
    static Result<Postgres> create(const std::string& password = "");

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
    Postgres(std::filesystem::path programs, std::filesystem::path folder, std::string password)
        : programs_(std::move(programs)), folder_(std::move(folder)), password_(std::move(password)) {}

    [[nodiscard]] Command as_nobody(std::string name, std::vector<std::string> argv) const;
    void signal_all(int number) const;

    std::filesystem::path programs_;
    std::filesystem::path folder_;
    std::string password_;
    std::optional<Process> server_;
};

} // namespace stem::lab
