// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/blocked_streams.h"

#include <algorithm>
#include <atomic>
#include <memory>

namespace stem::kernel {
namespace {

constexpr std::uint64_t bits = 64;
constexpr std::uint64_t words = STEM_SIP_FILTER_BITS / bits;

void set_bit(stem_sip_filter& filter, std::uint64_t stream) {
    std::atomic_ref(filter.word[stream / bits % words]).fetch_or(1ULL << (stream % bits));
}

} // namespace

StreamTarget target_of(const stem_sip_blocked& entry) {
    return {.protocol = entry.protocol,
            .source = {.address = Address(entry.src), .port = entry.sport},
            .destination = {.address = Address(entry.dst), .port = entry.dport}};
}

Result<BlockedStreams> BlockedStreams::open(const Instance& instance) {
    auto map = BlockedStreamMap::open(instance.pin("sip_blocked"));
    if (!map) {
        return std::unexpected(map.error());
    }
    auto filter = MappedArray<stem_sip_filter>::open(instance.pin("sip_blocked_filter"));
    if (!filter) {
        return std::unexpected(filter.error());
    }
    const auto seeds = SeedMap::open(instance.pin("stream_seed"));
    const auto seed = seeds ? seeds->get(0) : std::unexpected(seeds.error());
    if (!seed) {
        return std::unexpected(seed.error());
    }
    return BlockedStreams(std::move(*map), std::move(*filter), seed->value_or(0));
}

std::uint64_t BlockedStreams::id_of(const StreamTarget& stream) const {
    const stem_addr source = stream.source.address.raw();
    const stem_addr destination = stream.destination.address.raw();
    return stem_stream_id(seed_, &source, stream.source.port, &destination, stream.destination.port,
                          stream.protocol);
}

Result<bool> BlockedStreams::add(const StreamTarget& stream, std::uint64_t until_ns, stem_deny_origin origin,
                                 std::string_view note, std::uint64_t now_ns) const {
    const std::uint64_t id = id_of(stream);
    const auto before = map_.get(id);
    if (!before) {
        return std::unexpected(before.error());
    }
    const bool in_force = *before && (*before)->until_ns > now_ns;
    stem_sip_blocked entry = before->value_or(stem_sip_blocked{});
    entry.src = stream.source.address.raw();
    entry.dst = stream.destination.address.raw();
    entry.sport = stream.source.port;
    entry.dport = stream.destination.port;
    entry.protocol = stream.protocol;
    entry.until_ns = until_ns;
    entry.since_ns = in_force ? entry.since_ns : now_ns;
    entry.origin = static_cast<std::uint8_t>(origin);
    std::ranges::fill(entry.note, '\0');
    note.copy(entry.note, sizeof(entry.note) - 1);
    if (auto written = map_.put(id, entry); !written) {
        return std::unexpected(written.error());
    }
    set_bit(filter_[0], id); // after the entry: a sweep clears bits that have none
    return !in_force;
}

Result<bool> BlockedStreams::remove(const StreamTarget& stream, std::uint64_t now_ns) const {
    const std::uint64_t id = id_of(stream);
    const auto before = map_.get(id);
    if (!before) {
        return std::unexpected(before.error());
    }
    if (!*before || (*before)->until_ns <= now_ns) {
        return false;
    }
    return map_.erase(id); // its bit stays until the next sweep: a look-up in vain
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
            set_bit(filter, stream);
        }
    });
}

Result<std::size_t> BlockedStreams::sweep(std::uint64_t now_ns, std::uint64_t memory_ns) const {
    std::vector<std::uint64_t> stale;
    const auto walked = map_.for_each([&](std::uint64_t stream, const stem_sip_blocked& entry) {
        if (entry.until_ns <= now_ns && (entry.strikes == 0 || now_ns - entry.until_ns >= memory_ns)) {
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
