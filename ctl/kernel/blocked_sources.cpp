// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/blocked_sources.h"

#include "ctl/kernel/network.h"

namespace stem::kernel {

Result<BlockedSources> BlockedSources::open(const Instance& instance) {
    auto blocked = SipBlockedSourceMap::open(instance.pin("sip_blocked_sources"));
    if (!blocked) {
        return std::unexpected(blocked.error());
    }
    auto budgets = SipSourceMap::open(instance.pin("sip_sources"));
    if (!budgets) {
        return std::unexpected(budgets.error());
    }
    return BlockedSources(std::move(*blocked), std::move(*budgets));
}

Result<std::vector<BlockedSource>> BlockedSources::list() const {
    std::vector<BlockedSource> all;
    const auto walked =
        blocked_.for_each([&](const stem_sip_source_key& key, const stem_sip_blocked_source& block) {
            all.push_back({.source = network_of(Address(key.source), key.prefix_length), .block = block});
        });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return all;
}

Result<bool> BlockedSources::remove(const Cidr& source, std::uint64_t now_ns) const {
    const stem_sip_source_key key{
        .source = source.network().raw(), .prefix_length = source.mapped_length(), .zero = 0};
    const auto kept = blocked_.get(key);
    if (!kept) {
        return std::unexpected(kept.error());
    }
    const auto budget = budgets_.get(key); // a block that the table had no room for is there alone
    if (!budget) {
        return std::unexpected(budget.error());
    }
    const bool in_force =
        (*kept && (*kept)->until_ns > now_ns) || (*budget && (*budget)->blocked_until_ns > now_ns);
    if (!in_force) {
        return false;
    }
    // The budget last: one that is made anew in between takes the block from where it is gone already.
    if (auto erased = blocked_.erase(key); !erased) {
        return std::unexpected(erased.error());
    }
    if (auto erased = budgets_.erase(key); !erased) {
        return std::unexpected(erased.error());
    }
    return true;
}

Result<std::size_t> BlockedSources::sweep(std::uint64_t now_ns, std::uint64_t memory_ns) const {
    std::vector<stem_sip_source_key> stale;
    const auto walked =
        blocked_.for_each([&](const stem_sip_source_key& key, const stem_sip_blocked_source& block) {
            if (now_ns > memory_ns && block.until_ns <= now_ns - memory_ns) {
                stale.push_back(key);
            }
        });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    for (const auto& key : stale) {
        if (auto erased = blocked_.erase(key); !erased) {
            return std::unexpected(erased.error());
        }
    }
    return stale.size();
}

} // namespace stem::kernel
