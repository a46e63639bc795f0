// SPDX-License-Identifier: Apache-2.0
// What all commands share: the options of every command, and how results and errors go out.
//
// A command group is one file with one function (commands.h). It adds its subcommands to the tree and gives
// each an action; exactly one action runs, after the whole command line was read.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/error.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace stem::stemctl {

enum ExitCode : int { exit_done = 0, exit_failed = 1, exit_usage = 2 };

class Session {
  public:
    std::string instance = "default";
    std::string bpffs;   // empty: STEM_BPFFS or the default
    std::string run_dir; // empty: STEM_RUN_DIR or the default
    // A Security Manager elsewhere; empty: the one of stemd. Files: of options or the environment.
    std::string sm;
    std::string sm_certificate;
    std::string sm_key;
    std::string sm_ca;
    std::string sm_crl;
    bool json = false;

    [[nodiscard]] kernel::Locations locations() const { return kernel::Locations::resolve(bpffs, run_dir); }
    [[nodiscard]] Result<kernel::Instance> open() const {
        return kernel::Instance::open(locations(), instance);
    }

    // Adds a subcommand. `example`: lines of "stemctl …", shown under the options.
    CLI::App* command(CLI::App& parent, const std::string& name, const std::string& help,
                      const std::string& example, std::function<int()> action);
    // Adds a subcommand that only holds others.
    static CLI::App* group(CLI::App& parent, const std::string& name, const std::string& help);

    // Runs the action that the command line chose.
    [[nodiscard]] int run() const { return chosen_ ? chosen_() : exit_usage; }

    // With --json, one value on a line of its own.
    static void print(const boost::json::value& value);
    static void print(std::string_view text);
    // Tells people on stderr, and scripts, with --json, as {"error": {…}} on stdout. Returns exit_failed.
    int failed(const Error& error) const;
    static void warn(std::string_view text); // on stderr

  private:
    std::function<int()> chosen_;
};

// For the "error" member of every command's output.
boost::json::object to_json(const Error& error);

} // namespace stem::stemctl
