// SPDX-License-Identifier: Apache-2.0
#include "lab/interrupt.h"

#include "lab/running.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>

namespace stem::lab {
namespace {

[[noreturn]] void stop(int signal) {
    const auto names = Running::instance().stop_all_and_hold();
    fmt::print(stderr, "\n{}: stopped {}; namespaces, mounts and files of this run are removed.\n",
               signal == SIGINT ? "Interrupted" : "Terminated",
               names.empty() ? std::string("nothing, no process was running")
                             : fmt::format("{}", fmt::join(names, ", ")));
    std::fflush(nullptr);
    _exit(128 + signal);
}

} // namespace

InterruptWatch::InterruptWatch() : end_(eventfd(0, EFD_CLOEXEC)) {
    sigset_t awaited;
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    signals_.reset(signalfd(-1, &awaited, SFD_CLOEXEC));
    thread_ = std::jthread([this] { watch(); });
}

InterruptWatch::~InterruptWatch() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = write(end_.get(), &one, sizeof one);
}

void InterruptWatch::watch() const {
    std::array<pollfd, 2> sources = {{{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                                      {.fd = end_.get(), .events = POLLIN, .revents = 0}}};
    while (poll(sources.data(), sources.size(), -1) < 0) {
    }
    if (sources[0].revents != 0) {
        signalfd_siginfo info{};
        if (read(signals_.get(), &info, sizeof info) == sizeof info) {
            stop(static_cast<int>(info.ssi_signo));
        }
    }
}

} // namespace stem::lab
