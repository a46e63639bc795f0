// SPDX-License-Identifier: Apache-2.0
#include "lab/postgres.h"

#include "lab/enclosure.h"
#include "lab/text_file.h"

#include <fmt/format.h>

#include <csignal>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

namespace stem::lab {
namespace {

using namespace std::chrono_literals;

// Debian keeps each version's programs out of PATH.
Result<std::filesystem::path> find_programs() {
    const std::filesystem::path versions = "/usr/lib/postgresql";
    std::error_code none;
    std::vector<std::filesystem::path> found;
    for (const auto& version : std::filesystem::directory_iterator(versions, none)) {
        if (std::filesystem::exists(version.path() / "bin" / "initdb")) {
            found.push_back(version.path() / "bin");
        }
    }
    if (found.empty()) {
        return fail("find PostgreSQL's programs", "nothing in " + versions.string(),
                    "apt-get install postgresql");
    }
    return *std::ranges::max_element(found);
}

} // namespace

Command Postgres::as_nobody(std::string name, std::vector<std::string> argv) const {
    std::vector<std::string> whole = {"setpriv", "--reuid",        "nobody", "--regid",
                                      "nogroup", "--clear-groups", "--"};
    whole.insert(whole.end(), argv.begin(), argv.end());
    return {.name = std::move(name), .argv = std::move(whole), .directory = folder_};
}

Result<Postgres> Postgres::create(Options options) {
    auto programs = find_programs();
    if (!programs) {
        return std::unexpected(programs.error());
    }
    Postgres postgres(std::move(*programs), scratch() / "postgres", std::move(options));
    std::filesystem::remove_all(postgres.folder_);
    std::filesystem::create_directories(postgres.folder_);
    const passwd* const nobody = ::getpwnam("nobody");
    if (nobody == nullptr || ::chown(postgres.folder_.c_str(), nobody->pw_uid, nobody->pw_gid) != 0) {
        return fail_errno("give " + postgres.folder_.string() + " to nobody");
    }
    std::vector<std::string> argv = {postgres.programs_ / "initdb",
                                     "--pgdata",
                                     postgres.folder_ / "data",
                                     "--username",
                                     "stem",
                                     "--encoding",
                                     "UTF8",
                                     "--no-locale",
                                     "--no-sync"};
    const std::string& password = postgres.options_.password;
    if (password.empty()) {
        argv.emplace_back("--auth=trust");
    } else {
        const auto file = postgres.folder_ / "password";
        if (auto written = write_text(file, password + "\n"); !written) {
            return std::unexpected(written.error());
        }
        argv.insert(argv.end(), {"--auth=scram-sha-256", "--pwfile", file});
    }
    if (auto made = run_command(postgres.as_nobody("initdb", argv), 60s); !made) {
        return std::unexpected(made.error());
    }
    if (auto started = postgres.start(); !started) {
        return std::unexpected(started.error());
    }
    return postgres;
}

Result<> Postgres::start() {
    std::vector<std::string> argv = {programs_ / "postgres", "-D", folder_ / "data", "-k", folder_, "-c",
                                     "listen_addresses="};
    if (!options_.durable) {
        argv.insert(argv.end(),
                    {"-c", "fsync=off", "-c", "log_statement=all", "-c", "log_min_error_statement=error"});
    }
    auto server = Process::start(as_nobody("postgres", std::move(argv)));
    if (!server) {
        return std::unexpected(server.error());
    }
    server_.emplace(std::move(*server));
    const bool ready =
        eventually([&] { return !server_->running() || sql("postgres", "SELECT 1").has_value(); }, 30s);
    return ready && server_->running() ? Result<>() : fail("start PostgreSQL", server_->last_words());
}

void Postgres::stop() {
    if (server_) {
        server_->signal(SIGINT); // fast: cuts its connections
        static_cast<void>(server_->wait(20s));
        server_.reset();
    }
}

// Each of its processes leads a group of its own.
void Postgres::signal_all(int number) const {
    if (!server_) {
        return;
    }
    server_->signal(number);
    const auto children = read_text(fmt::format("/proc/{0}/task/{0}/children", server_->pid()));
    std::istringstream pids(children.value_or(""));
    for (pid_t pid = 0; pids >> pid;) {
        ::kill(pid, number);
    }
}

void Postgres::freeze() const {
    signal_all(SIGSTOP);
}

void Postgres::thaw() const {
    signal_all(SIGCONT);
}

Result<> Postgres::add_database(const std::string& name) const {
    auto made = sql("postgres", fmt::format("CREATE DATABASE {} TEMPLATE template0", name));
    return made ? Result<>() : std::unexpected(made.error());
}

std::string Postgres::uri(const std::string& database) const {
    return fmt::format("postgresql://stem@/{}?host={}", database, folder_.string());
}

Result<std::string> Postgres::sql(const std::string& database, const std::string& statement) const {
    return run_command({.name = "psql",
                        .argv = {"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", folder_, "-U",
                                 "stem", "-d", database, "-c", statement},
                        .environment = {{"PGPASSWORD", options_.password}}});
}

} // namespace stem::lab
