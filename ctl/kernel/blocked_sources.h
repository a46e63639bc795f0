// SPDX-License-Identifier: Apache-2.0
// Sources whose signalling the data plane blocked, for they flooded (map sip_blocked_sources), and their
// budgets (map sip_sources), which know of the block, too.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/address.h>

#include <vector>

namespace stem::kernel {

struct BlockedSource {
    Cidr source; // an address, or the /64 of an IPv6 one
    stem_sip_blocked_source block{};
};

class BlockedSources {
  public:
    static Result<BlockedSources> open(const Instance& instance);

    // Those too whose block is over and whose strikes still count.
    [[nodiscard]] Result<std::vector<BlockedSource>> list() const;
    // Lets it in again, with a fresh budget. False: it was not blocked at `now_ns`.
    [[nodiscard]] Result<bool> remove(const Cidr& source, std::uint64_t now_ns) const;
    // Forgets those whose block ended `memory_ns` ago. Gives how many.
    [[nodiscard]] Result<std::size_t> sweep(std::uint64_t now_ns, std::uint64_t memory_ns) const;
    [[nodiscard]] Result<std::uint32_t> count() const { return blocked_.count(); }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return blocked_.shape().max_entries; }

  private:
    BlockedSources(SipBlockedSourceMap blocked, SipSourceMap budgets)
        : blocked_(std::move(blocked)), budgets_(std::move(budgets)) {}

    SipBlockedSourceMap blocked_;
    SipSourceMap budgets_;
};

} // namespace stem::kernel
