// SPDX-License-Identifier: Apache-2.0
// The SYN monitor's figures and its table of blocked sources (stem/abi/syn.h).
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/address.h>

#include <array>
#include <vector>

namespace stem::kernel {

using SynCounts = std::array<std::uint64_t, STEM_SYN_COUNT_SLOTS>; // by enum stem_syn_count

struct BlockedSynSource {
    Cidr source; // an IPv4 address, or the /64 of an IPv6 one
    stem_syn_blocked block{};
};

class SynMonitor {
  public:
    static Result<SynMonitor> open(const Instance& instance);

    [[nodiscard]] Result<SynCounts> counts() const;
    // Those too whose block is over and that are still remembered.
    [[nodiscard]] Result<std::vector<BlockedSynSource>> blocked() const;
    // Lets it in again. False: it was not blocked at `now_ns`.
    [[nodiscard]] Result<bool> remove(const Cidr& source, std::uint64_t now_ns) const;
    [[nodiscard]] Result<std::uint32_t> count() const { return blocked_.count(); }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return blocked_.shape().max_entries; }
    // Forgets sources whose block has been over for as long as it lasted. Gives how many.
    [[nodiscard]] Result<std::size_t> sweep(std::uint64_t now_ns) const;

  private:
    SynMonitor(PerCpuArray<std::uint64_t> counts, SynBlockedMap blocked)
        : counts_(std::move(counts)), blocked_(std::move(blocked)) {}

    PerCpuArray<std::uint64_t> counts_;
    SynBlockedMap blocked_;
};

} // namespace stem::kernel
