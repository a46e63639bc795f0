// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/counter_table.h"

#include <stem/abi/event.h>

namespace stem::kernel {
namespace {

std::vector<CounterRow> rows_of(const std::vector<stem_counter>& counts) {
    std::vector<CounterRow> rows;
    for (const auto& info : reasons()) {
        rows.push_back({.reason = info.reason,
                        .by_direction = {counts[stem_counter_index(info.reason, STEM_INBOUND)],
                                         counts[stem_counter_index(info.reason, STEM_OUTBOUND)]}});
    }
    return rows;
}

} // namespace

Result<std::vector<CounterRow>> read_counters(const Instance& instance) {
    const auto data_plane = PerCpuArray<stem_counter>::open(instance.pin("counters"));
    if (!data_plane) {
        return std::unexpected(data_plane.error());
    }
    auto sums = data_plane->sums();
    if (!sums) {
        return std::unexpected(sums.error());
    }
    sums->resize(STEM_COUNTER_SLOTS);
    const auto controller = Map<std::uint32_t, stem_counter>::open(instance.pin("controller_counters"));
    if (!controller) {
        return std::unexpected(controller.error());
    }
    const auto walked = controller->for_each([&](std::uint32_t index, const stem_counter& counter) {
        if (index < sums->size()) {
            (*sums)[index].packets += counter.packets;
            (*sums)[index].bytes += counter.bytes;
        }
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return rows_of(*sums);
}

Result<std::vector<CounterRow>> read_would_drops(const Instance& instance) {
    const auto map = Map<std::uint32_t, stem_counter>::open(instance.pin("would_drops"));
    if (!map) {
        return std::unexpected(map.error());
    }
    std::vector<stem_counter> counts(STEM_COUNTER_SLOTS);
    const auto walked = map->for_each([&](std::uint32_t index, const stem_counter& counter) {
        if (index < counts.size()) {
            counts[index] = counter;
        }
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return rows_of(counts);
}

Result<EventCounts> read_event_counts(const Instance& instance) {
    const auto map = PerCpuArray<std::uint64_t>::open(instance.pin("event_counters"));
    if (!map) {
        return std::unexpected(map.error());
    }
    auto sums = map->sums();
    if (!sums) {
        return std::unexpected(sums.error());
    }
    sums->resize(STEM_EVENT_COUNTERS);
    return EventCounts{.sent = (*sums)[STEM_EVENTS_SENT],
                       .suppressed = (*sums)[STEM_EVENTS_SUPPRESSED],
                       .lost = (*sums)[STEM_EVENTS_LOST]};
}

} // namespace stem::kernel
