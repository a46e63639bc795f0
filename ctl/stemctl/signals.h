// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM end a long command in good order, with exit code 0.
#pragma once

#include <csignal>
#include <ctime>

namespace stem::stemctl {

class StopSignals {
  public:
    StopSignals() noexcept {
        sigemptyset(&set_);
        sigaddset(&set_, SIGINT);
        sigaddset(&set_, SIGTERM);
        sigprocmask(SIG_BLOCK, &set_, &before_);
    }
    ~StopSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    // True once one has come.
    [[nodiscard]] bool arrived() const noexcept {
        constexpr timespec now{};
        return sigtimedwait(&set_, nullptr, &now) > 0;
    }

  private:
    sigset_t set_{};
    sigset_t before_{};
};

} // namespace stem::stemctl
