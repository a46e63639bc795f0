// SPDX-License-Identifier: Apache-2.0
// The SYN monitor's figures and its table of blocked sources (stem/abi/syn.h).
#pragma once

#include "ctl/kernel/instance.h"

#include <array>

namespace stem::kernel {

using SynCounts = std::array<std::uint64_t, STEM_SYN_COUNT_SLOTS>; // by enum stem_syn_count

class SynMonitor {
  public:
    static Result<SynMonitor> open(const Instance& instance);

    [[nodiscard]] Result<SynCounts> counts() const;
    // Forgets sources whose block has been over for as long as it lasted. Gives how many.
    [[nodiscard]] Result<std::size_t> sweep(std::uint64_t now_ns) const;

  private:
    SynMonitor(PerCpuArray<std::uint64_t> counts, SynBlockedMap blocked)
        : counts_(std::move(counts)), blocked_(std::move(blocked)) {}

    PerCpuArray<std::uint64_t> counts_;
    SynBlockedMap blocked_;
};

} // namespace stem::kernel
