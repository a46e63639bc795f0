// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/blocked_streams.h"

#include <atomic>
#include <memory>

namespace stem::kernel {
namespace {

constexpr std::uint64_t bits = 64;
constexpr std::uint64_t words = STEM_SIP_FILTER_BITS / bits;

} // namespace

Result<BlockedStreams> BlockedStreams::open(const Instance& instance) {
    auto map = BlockedStreamMap::open(instance.pin("sip_blocked"));
    if (!map) {
        return std::unexpected(map.error());
    }
    auto filter = MappedArray<stem_sip_filter>::open(instance.pin("sip_blocked_filter"));
    if (!filter) {
        return std::unexpected(filter.error());
    }
    return BlockedStreams(std::move(*map), std::move(*filter));
}

Result<std::vector<stem_sip_blocked>> BlockedStreams::list() const {
    std::vector<stem_sip_blocked> all;
    const auto walked =
        map_.for_each([&](std::uint64_t, const stem_sip_blocked& entry) { all.push_back(entry); });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return all;
}

Result<> BlockedStreams::set_bits(stem_sip_filter& filter, std::uint64_t now_ns) const {
    return map_.for_each([&](std::uint64_t stream, const stem_sip_blocked& entry) {
        if (entry.until_ns > now_ns) {
            std::atomic_ref(filter.word[stream / bits % words]).fetch_or(1ULL << (stream % bits));
        }
    });
}

Result<std::size_t> BlockedStreams::sweep(std::uint64_t now_ns, std::uint64_t memory_ns) const {
    std::vector<std::uint64_t> stale;
    const auto walked = map_.for_each([&](std::uint64_t stream, const stem_sip_blocked& entry) {
        if (entry.until_ns + memory_ns <= now_ns) {
            stale.push_back(stream);
        }
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    for (const std::uint64_t stream : stale) {
        if (auto erased = map_.erase(stream); !erased) {
            return std::unexpected(erased.error());
        }
    }
    auto wanted = std::make_unique<stem_sip_filter>();
    if (auto set = set_bits(*wanted, now_ns); !set) {
        return std::unexpected(set.error());
    }
    stem_sip_filter& filter = filter_[0];
    for (std::uint64_t word = 0; word < words; word++) {
        std::atomic_ref(filter.word[word]).fetch_and(wanted->word[word]);
    }
    // A block that came between the walk and the clearing has its entry by now, or sets its bit after this.
    if (auto set = set_bits(filter, now_ns); !set) {
        return std::unexpected(set.error());
    }
    return stale.size();
}

} // namespace stem::kernel
