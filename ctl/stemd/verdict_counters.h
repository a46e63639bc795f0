// SPDX-License-Identifier: Apache-2.0
// stemd's verdicts, counted in the pinned map controller_counters: no system call, and they outlive stemd.
#pragma once

#include <stem/abi/reason.h>

#include <atomic>
#include <cstddef>

#include "ctl/kernel/mapped_array.h"

namespace stem::stemd {

class VerdictCounters {
  public:
    explicit VerdictCounters(kernel::MappedArray<stem_counter> slots) : slots_(std::move(slots)) {}

    // `bytes`: the whole frame, from the Ethernet header on.
    void add(stem_reason reason, stem_direction direction, std::size_t bytes) const noexcept {
        const std::size_t index = stem_counter_index(reason, direction);
        if (index >= slots_.values().size()) {
            return;
        }
        stem_counter& slot = slots_[index];
        std::atomic_ref(slot.packets).fetch_add(1, std::memory_order_relaxed);
        std::atomic_ref(slot.bytes).fetch_add(bytes, std::memory_order_relaxed);
    }

  private:
    kernel::MappedArray<stem_counter> slots_;
};

} // namespace stem::stemd
