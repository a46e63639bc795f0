// SPDX-License-Identifier: Apache-2.0
// Has the kernel take out kept connections that are over. On a thread of its own, as a full table takes some
// milliseconds. Without it the data plane sweeps when it finds its table full (bpf/state.h).
#pragma once

#include <chrono>
#include <stop_token>
#include <thread>

#include "ctl/kernel/instance.h"

namespace stem::stemd {

class StateSweeper {
  public:
    // Well below the ten seconds after which the data plane sweeps by itself.
    static constexpr std::chrono::seconds default_interval{2};

    explicit StateSweeper(kernel::Instance instance, std::chrono::seconds interval = default_interval);

  private:
    static void run(const std::stop_token& stop, const kernel::Instance& instance,
                    std::chrono::seconds interval);

    std::jthread thread_;
};

} // namespace stem::stemd
