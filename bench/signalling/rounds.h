// SPDX-License-Identifier: Apache-2.0
// Delays of many calls, a round at a time, and the figures that come of them.
#pragma once

#include "measure.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace stem::bench {

// A round of calls takes long beside a run of the data plane, so there are a third as many.
inline unsigned rounds_of(const Settings& settings) {
    return std::max(1U, settings.repetitions / 3);
}

constexpr double aim_delay_us = 1000; // issue 2

inline double microseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::micro>(time).count();
}

} // namespace stem::bench
