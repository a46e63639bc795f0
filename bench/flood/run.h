// SPDX-License-Identifier: Apache-2.0
// One run: a flood into an arena, or none, with legitimate calls beside it.
#pragma once

#include "flood/arena.h"
#include "flood/callers.h"
#include "flood/flooder.h"

#include <optional>

namespace stem::bench {

// Where a flood comes from and what it is for; the run fills in the addresses of the arena.
struct FloodPlan {
    FloodKind kind = FloodKind::syn;
    bool spoofed = false;   // from a million sources; else from one
    std::uint64_t rate = 0; // frames a second; 0: as many as the CPU makes
};

struct FloodRun {
    CallCounts calls;
    double seconds = 0;     // how long the flood lasted
    std::uint64_t made = 0; // frames by the generator
    std::uint64_t came = 0; // to the middle's external port, the legitimate calls' packets included
    double busy_cpus = 0;   // of the whole machine, the generator's included
    double system_cpus = 0; // of it, in the kernel
    double daemon_cpus = 0;
    Drops drops; // during the flood
};

// `number` gives the flood sources of its own: what was learned of one run's does not help in the next.
Result<FloodRun> run_flood(Arena& arena, const std::optional<FloodPlan>& plan, const CallLoad& load,
                           unsigned number);

} // namespace stem::bench
