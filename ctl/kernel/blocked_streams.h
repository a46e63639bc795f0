// SPDX-License-Identifier: Apache-2.0
// Signalling streams that the data plane blocked, or that somebody denied (map sip_blocked), and the bit
// filter in front of them.
#pragma once

#include "ctl/kernel/deny_target.h"
#include "ctl/kernel/instance.h"

#include <string_view>
#include <vector>

namespace stem::kernel {

StreamTarget target_of(const stem_sip_blocked& entry);

// Whoever changes it holds the instance's lock (Instance::lock_for_change). The data plane blocks meanwhile,
// and none of its blocks is lost.
class BlockedStreams {
  public:
    static Result<BlockedStreams> open(const Instance& instance);

    // What is in the map, those too whose block is over and whose strikes still count.
    [[nodiscard]] Result<std::vector<stem_sip_blocked>> list() const;
    // True: new; false: it was blocked, and has the new end (STEM_FOR_EVER: none), origin and note now; its
    // counters go on. Full: code E2BIG.
    [[nodiscard]] Result<bool> add(const StreamTarget& stream, std::uint64_t until_ns,
                                   stem_deny_origin origin, std::string_view note,
                                   std::uint64_t now_ns) const;
    // False: it was not blocked at `now_ns`.
    [[nodiscard]] Result<bool> remove(const StreamTarget& stream, std::uint64_t now_ns) const;
    // Forgets those whose block ended `memory_ns` ago, and at once those that have no strikes to remember,
    // and clears bits that no block in force has any more. Gives how many it forgot.
    [[nodiscard]] Result<std::size_t> sweep(std::uint64_t now_ns, std::uint64_t memory_ns) const;
    [[nodiscard]] Result<std::uint32_t> count() const { return map_.count(); }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return map_.shape().max_entries; }

  private:
    BlockedStreams(BlockedStreamMap map, MappedArray<stem_sip_filter> filter, std::uint64_t seed)
        : map_(std::move(map)), filter_(std::move(filter)), seed_(seed) {}

    [[nodiscard]] std::uint64_t id_of(const StreamTarget& stream) const;
    [[nodiscard]] Result<> set_bits(stem_sip_filter& filter, std::uint64_t now_ns) const;

    BlockedStreamMap map_;
    MappedArray<stem_sip_filter> filter_;
    std::uint64_t seed_;
};

} // namespace stem::kernel
