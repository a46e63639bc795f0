// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/syn_monitor.h"

#include "ctl/kernel/network.h"

#include <algorithm>

namespace stem::kernel {

Result<SynMonitor> SynMonitor::open(const Instance& instance) {
    auto counts = PerCpuArray<std::uint64_t>::open(instance.pin("syn_counts"));
    if (!counts) {
        return std::unexpected(counts.error());
    }
    auto blocked = SynBlockedMap::open(instance.pin("syn_blocked"));
    if (!blocked) {
        return std::unexpected(blocked.error());
    }
    return SynMonitor(std::move(*counts), std::move(*blocked));
}

Result<SynCounts> SynMonitor::counts() const {
    const auto sums = counts_.sums();
    if (!sums) {
        return std::unexpected(sums.error());
    }
    SynCounts counts{};
    std::copy_n(sums->begin(), std::min(sums->size(), counts.size()), counts.begin());
    return counts;
}

Result<std::vector<BlockedSynSource>> SynMonitor::blocked() const {
    std::vector<BlockedSynSource> all;
    const auto walked =
        blocked_.for_each([&](const stem_syn_blocked_key& key, const stem_syn_blocked& block) {
            all.push_back({.source = network_of(Address(key.source), key.prefix_length), .block = block});
        });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return all;
}

Result<bool> SynMonitor::remove(const Cidr& source, std::uint64_t now_ns) const {
    const stem_syn_blocked_key key{
        .source = source.network().raw(), .prefix_length = source.mapped_length(), .zero = 0};
    const auto before = blocked_.get(key);
    if (!before) {
        return std::unexpected(before.error());
    }
    if (!*before || (*before)->until_ns <= now_ns) {
        return false;
    }
    return blocked_.erase(key);
}

Result<std::size_t> SynMonitor::sweep(std::uint64_t now_ns) const {
    std::vector<stem_syn_blocked_key> stale;
    const auto walked =
        blocked_.for_each([&](const stem_syn_blocked_key& source, const stem_syn_blocked& block) {
            const std::uint64_t lasted = block.until_ns - std::min(block.since_ns, block.until_ns);
            if (block.until_ns + lasted < now_ns) {
                stale.push_back(source);
            }
        });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    for (const auto& source : stale) {
        if (auto erased = blocked_.erase(source); !erased) {
            return std::unexpected(erased.error());
        }
    }
    return stale.size();
}

} // namespace stem::kernel
