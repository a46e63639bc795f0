// SPDX-License-Identifier: Apache-2.0
// What the machine's CPUs have done so far, all together.
#pragma once

#include <chrono>

namespace stem::bench {

// In ticks of the clock, a hundredth of a second on most machines.
struct MachineTime {
    std::chrono::nanoseconds busy{};   // not idle, not waiting for a disk, not taken by the host
    std::chrono::nanoseconds system{}; // in the kernel: system calls and interrupts
};

// From /proc/stat; zero where it cannot be read.
MachineTime machine_time();

} // namespace stem::bench
