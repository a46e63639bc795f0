// SPDX-License-Identifier: Apache-2.0
// Runs subjects in turn over one line, and keeps the rate of each run.
#pragma once

#include "measure.h"

#include "plane/subject.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stem::bench {

enum class Fate {
    forwarded, // every frame reaches the sink
    dropped,   // none does
};

// Frames that are sent at once; a run has at least two such bursts, the first to warm caches up.
inline constexpr std::uint32_t burst_frames = 65536; // 13 to 200 ms

struct Lane {
    std::unique_ptr<Subject> subject;
    std::uint32_t burst = burst_frames; // fewer for a slow subject
    std::vector<double> mpps = {};      // millions of frames a second, one of each repetition
};

// Every repetition runs each lane once, so that what disturbs the machine disturbs all. A run is invalid, and
// ends the race, when a frame did not meet its fate.
Result<> race(const Line& line, const Mix& mix, Fate fate, std::vector<Lane>& lanes, const Settings& settings,
              const Progress& progress);

} // namespace stem::bench
