// SPDX-License-Identifier: Apache-2.0
#include "conntrack_room.h"

#include "lab/text_file.h"

#include <bit>
#include <charconv>
#include <string>
#include <tuple>

namespace stem::bench {
namespace {

constexpr const char* max_path = "/proc/sys/net/netfilter/nf_conntrack_max";
constexpr const char* buckets_path = "/proc/sys/net/netfilter/nf_conntrack_buckets";

// The value before, if it was less than `wanted` and was raised; else 0.
std::uint64_t raise(const char* path, std::uint64_t wanted) {
    const std::string text = lab::read_text(path).value_or("");
    std::uint64_t before = 0;
    std::from_chars(text.data(), text.data() + text.size(), before);
    const bool raised = before != 0 && before < wanted && lab::write_text(path, std::to_string(wanted));
    return raised ? before : 0;
}

void put_back(const char* path, std::uint64_t before) {
    if (before != 0) {
        std::ignore = lab::write_text(path, std::to_string(before));
    }
}

} // namespace

ConntrackRoom::ConntrackRoom(std::uint64_t streams)
    : max_before_(raise(max_path, streams + streams / 8)),
      buckets_before_(raise(buckets_path, std::bit_ceil(streams))) {
}

ConntrackRoom::~ConntrackRoom() {
    put_back(buckets_path, buckets_before_);
    put_back(max_path, max_before_);
}

} // namespace stem::bench
