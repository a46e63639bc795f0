// SPDX-License-Identifier: Apache-2.0
// Verdicts so far, by reason and direction: the data plane's of all CPUs and stemd's in one table.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/reason.h>

#include <array>
#include <vector>

namespace stem::kernel {

struct CounterRow {
    stem_reason reason = STEM_CONTINUE;
    std::array<stem_counter, STEM_DIRECTIONS> by_direction{}; // enum stem_direction
};

// A row for each reason that this build knows, by number.
Result<std::vector<CounterRow>> read_counters(const Instance& instance);

// What would have been dropped of peers that are only monitored. Rows as above.
Result<std::vector<CounterRow>> read_would_drops(const Instance& instance);

struct EventCounts {
    std::uint64_t sent = 0;
    std::uint64_t suppressed = 0;
    std::uint64_t lost = 0;
};
Result<EventCounts> read_event_counts(const Instance& instance);

} // namespace stem::kernel
