/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The data plane's time: CLOCK_MONOTONIC at the resolution of the timer tick (1 to 10 ms), which costs a load
 * where bpf_ktime_get_ns() costs a TSC read of 20 ns and more in a virtual machine. Every interval here is
 * hundreds of milliseconds long.
 */
#ifndef STEM_BPF_CLOCK_H
#define STEM_BPF_CLOCK_H

#include "settings.h"

#include <bpf/bpf_helpers.h>

__u64 stem_test_now_ns = 0;

static __always_inline __u64 now_ns(void) {
    return stem_test_clock ? *(volatile __u64*)&stem_test_now_ns : bpf_ktime_get_coarse_ns();
}

#endif
