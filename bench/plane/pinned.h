// SPDX-License-Identifier: Apache-2.0
// Gives the calling thread the machine's last allowed CPU, ahead of every ordinary process, while it lives.
#pragma once

#include <sched.h>

namespace stem::bench {

// The kernel's softirq work of the frames is done in the same thread, so the whole path runs on that one CPU.
// The kernel keeps a twentieth of each second for ordinary processes: they do not starve.
class Pinned {
  public:
    Pinned() {
        sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t last;
        CPU_ZERO(&last);
        for (int cpu = CPU_SETSIZE - 1; cpu >= 0; --cpu) {
            if (CPU_ISSET(static_cast<unsigned>(cpu), &before_)) {
                CPU_SET(static_cast<unsigned>(cpu), &last);
                break;
            }
        }
        sched_setaffinity(0, sizeof last, &last);
        const sched_param ahead{.sched_priority = 1};
        sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &ahead);
    }
    ~Pinned() {
        const sched_param ordinary{.sched_priority = 0};
        sched_setscheduler(0, SCHED_OTHER, &ordinary);
        sched_setaffinity(0, sizeof before_, &before_);
    }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

  private:
    cpu_set_t before_{};
};

} // namespace stem::bench
