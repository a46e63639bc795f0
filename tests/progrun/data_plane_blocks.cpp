// SPDX-License-Identifier: Apache-2.0
// The maps of signalling streams and sources that are blocked, and of flows that are denied.
#include "data_plane.h"
#include "map_access.h"

#include <stem.skel.h>

#include <algorithm>
#include <cstring>

namespace stem::test {
namespace {

stem_sip_source_key key_of(const Address& source, std::uint32_t prefix_length) {
    stem_sip_source_key key{.source = source.raw(), .prefix_length = prefix_length, .zero = 0};
    if (prefix_length == 64) {
        std::fill_n(&key.source.octet[8], 8, std::uint8_t{0});
    }
    return key;
}

// Writes entries until there is no room; `key_of(n)` is the n-th key.
template<typename Value, typename KeyOf>
void fill(int fd, const Value& value, const char* what, KeyOf key_of) {
    for (std::uint32_t n = 1;; n++) {
        const auto key = key_of(n);
        if (const int result = bpf_map_update_elem(fd, &key, &value, BPF_ANY); result != 0) {
            if (result == -E2BIG) {
                return;
            }
            refuse(result, what);
        }
    }
}

} // namespace

void DataPlane::reset_blocks() {
    const auto& maps = skeleton_->maps;
    clear<std::uint64_t>(bpf_map__fd(maps.sip_blocked));
    clear<stem_sip_source_key>(bpf_map__fd(maps.sip_blocked_sources));
    put(bpf_map__fd(maps.sip_blocked_filter), std::uint32_t{0}, stem_sip_filter{},
        "the filter of blocked streams");
}

std::optional<stem_sip_blocked> DataPlane::blocked(std::uint64_t stream) const {
    stem_sip_blocked value{};
    const int result = bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.sip_blocked), &stream, &value);
    return result == 0 ? std::optional(value) : std::nullopt;
}

void DataPlane::put_blocked(std::uint64_t stream, const stem_sip_blocked& entry) {
    put(bpf_map__fd(skeleton_->maps.sip_blocked), stream, entry, "a blocked stream");
    const int fd = bpf_map__fd(skeleton_->maps.sip_blocked_filter);
    auto filter = fetch<stem_sip_filter>(fd, std::uint32_t{0}, "the filter of blocked streams");
    filter.word[stream / 64 % std::size(filter.word)] |= 1ULL << (stream % 64);
    put(fd, std::uint32_t{0}, filter, "the filter of blocked streams");
}

void DataPlane::fill_blocked_streams() {
    fill(bpf_map__fd(skeleton_->maps.sip_blocked), stem_sip_blocked{.until_ns = STEM_FOR_EVER},
         "fill the table of blocked streams", [](std::uint32_t n) { return std::uint64_t{n}; });
}

std::optional<stem_sip_blocked_source> DataPlane::blocked_source(const Address& source,
                                                                 std::uint32_t prefix_length) const {
    const auto key = key_of(source, prefix_length);
    stem_sip_blocked_source value{};
    const int result = bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.sip_blocked_sources), &key, &value);
    return result == 0 ? std::optional(value) : std::nullopt;
}

void DataPlane::fill_blocked_sources() {
    fill(bpf_map__fd(skeleton_->maps.sip_blocked_sources), stem_sip_blocked_source{.until_ns = STEM_FOR_EVER},
         "fill the table of blocked sources",
         [](std::uint32_t n) { return stem_sip_source_key{.source = {}, .prefix_length = 128, .zero = n}; });
}

bool DataPlane::has_budget(const Address& source, std::uint32_t prefix_length) const {
    const int fd = bpf_map__fd(skeleton_->maps.sip_sources);
    const auto wanted = key_of(source, prefix_length);
    stem_sip_source_key key{};
    const stem_sip_source_key* before = nullptr;
    while (bpf_map_get_next_key(fd, before, &key) == 0) {
        if (std::memcmp(&key, &wanted, sizeof(key)) == 0) {
            return true;
        }
        before = &key;
    }
    return false;
}

bool DataPlane::deny_flow(const stem_flow_key& key, std::uint64_t until_ns, stem_deny_origin origin,
                          std::string_view note) {
    stem_deny_flow about{.key = key, .until_ns = until_ns, .origin = origin, .found = 0, .note = {}};
    note.copy(about.note, sizeof(about.note) - 1);
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.ctx_in = &about;
    options.ctx_size_in = sizeof(about);
    if (const int result = bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.deny_flow), &options);
        result != 0) {
        refuse(result, "deny a flow");
    }
    return about.found != 0;
}

} // namespace stem::test
