// SPDX-License-Identifier: Apache-2.0
// BPF maps with types; a refusal by the kernel is an exception, since no test expects one.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace stem::test {

[[noreturn]] inline void refuse(int code, const std::string& what) {
    throw std::system_error(code < 0 ? -code : code, std::generic_category(), what);
}

template<typename K, typename V>
void put(int fd, const K& key, const V& value, const char* what) {
    if (const int result = bpf_map_update_elem(fd, &key, &value, BPF_ANY); result != 0) {
        refuse(result, std::string("write ") + what);
    }
}

template<typename V, typename K>
V fetch(int fd, const K& key, const char* what) {
    V value{};
    if (const int result = bpf_map_lookup_elem(fd, &key, &value); result != 0) {
        refuse(result, std::string("read ") + what);
    }
    return value;
}

template<typename K>
void clear(int fd) {
    K key{};
    while (bpf_map_get_next_key(fd, nullptr, &key) == 0) {
        if (const int result = bpf_map_delete_elem(fd, &key); result != 0) {
            refuse(result, "empty a map");
        }
    }
}

// All values of a per-CPU array of `count` slots, slot by slot, CPU by CPU within.
template<typename V>
std::vector<V> fetch_per_cpu(int fd, std::uint32_t count, int cpus) {
    static_assert(sizeof(V) % 8 == 0, "the kernel rounds a CPU's value up to 8 octets");
    std::vector<V> values(std::size_t{count} * static_cast<std::size_t>(cpus));
    std::vector<std::uint32_t> keys(count);
    std::uint32_t next = 0;
    std::uint32_t got = count;
    const int result = bpf_map_lookup_batch(fd, nullptr, &next, keys.data(), values.data(), &got, nullptr);
    if ((result != 0 && result != -ENOENT) || got != count) {
        refuse(result, "read a per-CPU array");
    }
    return values;
}

} // namespace stem::test
