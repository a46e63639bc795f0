// SPDX-License-Identifier: Apache-2.0
// The maps of the SYN monitor.
#include "data_plane.h"
#include "map_access.h"

#include <stem.skel.h>

#include <algorithm>

namespace stem::test {
namespace {

stem_syn_blocked_key key_of(const Address& source) {
    stem_syn_blocked_key key{.source = source.raw(), .prefix_length = 128, .zero = 0};
    if (!source.is_v4()) {
        std::fill_n(&key.source.octet[8], 8, std::uint8_t{0});
        key.prefix_length = 64;
    }
    return key;
}

} // namespace

void DataPlane::reset_syn_monitor() {
    const auto& maps = skeleton_->maps;
    clear<stem_syn_blocked_key>(bpf_map__fd(maps.syn_blocked));
    clear<stem_half_open_key>(bpf_map__fd(maps.half_open));
    clear<stem_addr>(bpf_map__fd(maps.syn_proven));
    static const auto empty = std::make_unique<stem_syn_sketch>();
    for (std::uint32_t kind = 0; kind < STEM_SYN_SKETCHES; kind++) {
        put(bpf_map__fd(maps.syn_sketch), kind, *empty, "an empty sketch");
    }
    for (std::uint32_t slot = 0; slot < STEM_HALF_OPEN_SLOTS; slot++) {
        put(bpf_map__fd(maps.half_open_load), slot, stem_half_open_load{}, "an empty load");
    }
    put(bpf_map__fd(maps.syn_unknown_lane), std::uint32_t{0}, std::uint64_t{0}, "an empty lane");
    const std::vector<std::uint64_t> none(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t which = 0; which < STEM_SYN_COUNT_SLOTS; which++) {
        if (const int result =
                bpf_map_update_elem(bpf_map__fd(maps.syn_counts), &which, none.data(), BPF_ANY);
            result != 0) {
            refuse(result, "empty the counts of SYNs");
        }
    }
}

std::array<std::uint64_t, STEM_SYN_COUNT_SLOTS> DataPlane::syn_counts() const {
    const int cpus = libbpf_num_possible_cpus();
    const auto all =
        fetch_per_cpu<std::uint64_t>(bpf_map__fd(skeleton_->maps.syn_counts), STEM_SYN_COUNT_SLOTS, cpus);
    std::array<std::uint64_t, STEM_SYN_COUNT_SLOTS> sums{};
    for (std::size_t i = 0; i < all.size(); i++) {
        sums[i / static_cast<std::size_t>(cpus)] += all[i];
    }
    return sums;
}

std::optional<stem_syn_blocked> DataPlane::syn_blocked(const Address& source) const {
    const auto key = key_of(source);
    stem_syn_blocked entry{};
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.syn_blocked), &key, &entry) != 0) {
        return std::nullopt;
    }
    return entry;
}

void DataPlane::fill_syn_blocked() {
    const int fd = bpf_map__fd(skeleton_->maps.syn_blocked);
    for (std::uint32_t n = 0;; n++) {
        stem_syn_blocked_key key{.source = {}, .prefix_length = 128, .zero = n + 1};
        const stem_syn_blocked entry{.until_ns = ~std::uint64_t{0}};
        if (const int result = bpf_map_update_elem(fd, &key, &entry, BPF_ANY); result != 0) {
            if (result == -E2BIG) {
                return;
            }
            refuse(result, "fill the table of blocked sources");
        }
    }
}

} // namespace stem::test
