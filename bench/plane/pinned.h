// SPDX-License-Identifier: Apache-2.0
// Keeps the calling thread on the machine's last allowed CPU, while it lives.
#pragma once

#include <sched.h>

namespace stem::bench {

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
    }
    ~Pinned() { sched_setaffinity(0, sizeof before_, &before_); }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

  private:
    cpu_set_t before_{};
};

} // namespace stem::bench
