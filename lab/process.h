// SPDX-License-Identifier: Apache-2.0
// A program run by the lab, in a network namespace, with its output in files.
#pragma once

#include <stem/error.h>

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace stem::lab {

class Netns;

struct Command {
    std::string name;                     // in messages and file names: "kamailio"
    std::vector<std::string> argv;        // argv[0] is looked up in PATH
    const Netns* netns = nullptr;         // nullptr: that of the caller
    std::string input = {};               // what the program reads on its standard input
    std::filesystem::path directory = {}; // where it runs; empty: the scratch directory
    std::vector<std::pair<std::string, std::string>> environment = {}; // added to ours
};

// Leads a process group of its own, so that stopping it also reaches the children that it forked. The kernel
// kills it when the thread that started it ends: start processes from a thread that lasts, best from main's.
class Process {
  public:
    static Result<Process> start(const Command& command);
    ~Process(); // SIGKILL to the group, if it still runs
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool running() const;       // false once it has ended, reaped or not
    [[nodiscard]] std::string output() const; // what it wrote so far to stdout
    [[nodiscard]] std::string errors() const; // and to stderr
    [[nodiscard]] const std::filesystem::path& output_file() const noexcept { return output_; }
    [[nodiscard]] const std::filesystem::path& errors_file() const noexcept { return errors_; }

    void signal(int number) const; // to the process alone, not to its group
    // The exit status, or 128 + the signal that ended it. An Error with the last lines of output when it has
    // not ended in time; it runs on then.
    Result<int> wait(std::chrono::milliseconds timeout);
    // SIGTERM to the group, SIGKILL when it has not ended after `grace`. Returns the status as wait() does.
    int stop(std::chrono::milliseconds grace = std::chrono::seconds(3));

    // CPU time, user and system, of all that runs in the process group now. Nanosecond clock of the
    // scheduler.
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const;
    // The last lines of both files, for an error message.
    [[nodiscard]] std::string last_words() const;

  private:
    Process(pid_t pid, std::string name, std::filesystem::path output, std::filesystem::path errors);
    int end_now(); // SIGKILL to what is left of the group, and reap

    pid_t pid_ = -1; // -1: moved from
    bool reaped_ = false;
    int status_ = 0;
    std::string name_;
    std::filesystem::path output_;
    std::filesystem::path errors_;
};

// Runs a command to its end and returns its standard output. A status other than 0, or no end within
// `timeout`, is an Error that carries what the command wrote.
Result<std::string> run_command(const Command& command,
                                std::chrono::milliseconds timeout = std::chrono::seconds(20));

// Asks `condition` every few milliseconds until it holds. False: it did not within `timeout`.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout);

} // namespace stem::lab
