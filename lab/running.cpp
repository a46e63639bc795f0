// SPDX-License-Identifier: Apache-2.0
#include "lab/running.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

namespace stem::lab {

using namespace std::chrono_literals;

Running& Running::instance() {
    static Running running;
    return running;
}

void Running::add(pid_t process, std::string name) {
    const std::scoped_lock lock(mutex_);
    names_.emplace(process, std::move(name));
}

void Running::remove(pid_t process) {
    const std::scoped_lock lock(mutex_);
    names_.erase(process);
}

std::vector<std::string> Running::stop_all_and_hold() {
    mutex_.lock(); // and never unlocked
    std::vector<std::string> stopped;
    for (const auto& [process, name] : names_) {
        stopped.push_back(fmt::format("{} (pid {})", name, process));
        kill(-process, SIGTERM);
    }
    const auto all_ended = [this] {
        return std::ranges::all_of(names_, [](const auto& entry) { return has_ended(entry.first); });
    };
    const auto deadline = std::chrono::steady_clock::now() + 2s;
    while (!all_ended() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(20ms);
    }
    for (const auto& entry : names_) {
        kill(-entry.first, SIGKILL);
    }
    return stopped;
}

bool has_ended(pid_t child) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid != 0;
}

int shell_status(int wait_status) {
    return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

} // namespace stem::lab
