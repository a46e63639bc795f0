// SPDX-License-Identifier: Apache-2.0
#include "flood/cpus.h"

#include <sys/resource.h>
#include <unistd.h>

namespace stem::bench {

KeepTo::KeepTo(Cpus cpus) {
    sched_getaffinity(0, sizeof before_, &before_);
    const auto count = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    for (unsigned cpu = 0; cpu < count; ++cpu) {
        if ((cpu == count - 1) == (cpus == Cpus::last)) {
            CPU_SET(cpu, &wanted);
        }
    }
    if (CPU_COUNT(&wanted) != 0) {
        sched_setaffinity(0, sizeof wanted, &wanted);
    }
}

KeepTo::~KeepTo() {
    sched_setaffinity(0, sizeof before_, &before_);
}

void give_way() {
    // Linux has a nice value for each thread: 0 is the calling one.
    setpriority(PRIO_PROCESS, 0, 19);
}

} // namespace stem::bench
