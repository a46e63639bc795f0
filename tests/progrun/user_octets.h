// SPDX-License-Identifier: Apache-2.0
// What bpf/form.h takes from BPF, for user space: include it before that file, instead of bpf/octets.h.
#pragma once

#define STEM_BPF_OCTETS_H

#include <linux/types.h>

#include <cstddef>

#define __noinline static inline

// A frame in memory, where the kernel has a context.
struct xdp_md {
    void* data;
    void* data_end;
};

// C takes a void* for any pointer, C++ does not.
class AnyPointer {
  public:
    explicit AnyPointer(void* at) : at_(at) {}
    template<typename T>
    operator T*() const { // NOLINT(google-explicit-constructor)
        return static_cast<T*>(at_);
    }

  private:
    void* at_;
};

inline AnyPointer octets_at(const xdp_md* context, __u32 offset, __u32 size) {
    auto* begin = static_cast<__u8*>(context->data);
    const auto length = static_cast<std::size_t>(static_cast<__u8*>(context->data_end) - begin);
    const bool there = offset <= 0x0fff && std::size_t{offset} + size <= length;
    return AnyPointer(there ? begin + offset : nullptr);
}

inline long bpf_loop(__u32 rounds, long (*step)(__u32, void*), void* data, __u64) {
    for (__u32 index = 0; index < rounds; index++) {
        if (step(index, data) != 0) {
            return index + 1;
        }
    }
    return rounds;
}
