// SPDX-License-Identifier: Apache-2.0
// Many entries into a BPF hash map, in few system calls.
#pragma once

#include <stem/error.h>

#include <bpf/bpf.h>

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

namespace stem::bench {

// `entry(number)` gives the key and value of each entry, 0 to count - 1.
template<typename Key, typename Value, typename Entry>
Result<> fill_map(int map, std::uint32_t count, Entry entry) {
    constexpr std::uint32_t chunk = 4096;
    std::vector<Key> keys(chunk);
    std::vector<Value> values(chunk);
    for (std::uint32_t done = 0; done < count;) {
        std::uint32_t filled = std::min(chunk, count - done);
        for (std::uint32_t i = 0; i < filled; ++i) {
            std::tie(keys[i], values[i]) = entry(done + i);
        }
        LIBBPF_OPTS(bpf_map_batch_opts, options);
        if (bpf_map_update_batch(map, keys.data(), values.data(), &filled, &options) != 0) {
            return fail_errno("fill a table of flows");
        }
        done += filled;
    }
    return {};
}

} // namespace stem::bench
