// SPDX-License-Identifier: Apache-2.0
// Signalling streams that the data plane blocked (map sip_blocked), and the bit filter in front of them.
#pragma once

#include "ctl/kernel/instance.h"

#include <vector>

namespace stem::kernel {

class BlockedStreams {
  public:
    static Result<BlockedStreams> open(const Instance& instance);

    // What is in the map, those too whose block is over and whose strikes still count.
    [[nodiscard]] Result<std::vector<stem_sip_blocked>> list() const;
    // Forgets those whose block ended `memory_ns` ago, and clears bits that no block in force has any more.
    // Gives how many it forgot. The data plane goes on setting bits meanwhile, and none of those is lost.
    [[nodiscard]] Result<std::size_t> sweep(std::uint64_t now_ns, std::uint64_t memory_ns) const;

  private:
    BlockedStreams(BlockedStreamMap map, MappedArray<stem_sip_filter> filter)
        : map_(std::move(map)), filter_(std::move(filter)) {}

    [[nodiscard]] Result<> set_bits(stem_sip_filter& filter, std::uint64_t now_ns) const;

    BlockedStreamMap map_;
    MappedArray<stem_sip_filter> filter_;
};

} // namespace stem::kernel
