// SPDX-License-Identifier: Apache-2.0
#include "flood/machine_time.h"

#include "lab/text_file.h"

#include <unistd.h>

#include <cstdint>
#include <sstream>
#include <string>

namespace stem::bench {

MachineTime machine_time() {
    std::istringstream words(lab::read_text("/proc/stat").value_or(""));
    std::string label;
    std::uint64_t user = 0;
    std::uint64_t nice = 0;
    std::uint64_t system = 0;
    std::uint64_t idle = 0;
    std::uint64_t disk = 0;
    std::uint64_t interrupt = 0;
    std::uint64_t soft_interrupt = 0;
    words >> label >> user >> nice >> system >> idle >> disk >> interrupt >> soft_interrupt;
    const auto time = [](std::uint64_t ticks) {
        static const auto per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
        return std::chrono::nanoseconds(ticks * 1'000'000'000 / per_second);
    };
    const auto kernel = system + interrupt + soft_interrupt;
    return {.busy = time(user + nice + kernel), .system = time(kernel)};
}

} // namespace stem::bench
