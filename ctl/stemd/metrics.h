// SPDX-License-Identifier: Apache-2.0
// Figures for Prometheus, in its text format 0.0.4; docs/api.md lists them.
#pragma once

#include <ctl/xsk/ports.h>

#include <string>

#include "ctl/call/monitor.h"
#include "ctl/kernel/instance.h"
#include "ctl/stemd/decision_links.h"
#include "ctl/stemd/flood_monitor.h"
#include "ctl/stemd/manager.h"
#include "ctl/stemd/signalling.h"

namespace stem::stemd {

struct Figures {
    const kernel::Instance& instance;
    call::Totals totals;
    const tcp::Table& connections;
    DecisionCounts decisions;
    Manager::Figures manager;
    const xsk::Ports& ports;
    LaneCounts lanes;
    const FloodMonitor& floods;
    double uptime_seconds = 0;
};

// The verdict counters are left out, and the log says why, when the kernel does not give them.
std::string describe_metrics(const Figures& figures);

} // namespace stem::stemd
