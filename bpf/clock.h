/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The data plane's time: CLOCK_MONOTONIC at the resolution of the timer tick (1 to 10 ms), up to two ticks
 * old. Every interval here is hundreds of milliseconds long.
 *
 * Costs two loads. The kernel's coarse clock moves only with the tick, so it is asked once a tick: a call of
 * it takes 14 ns where returns are guarded against speculation, and bpf_ktime_get_ns() 32 ns.
 */
#ifndef STEM_BPF_CLOCK_H
#define STEM_BPF_CLOCK_H

#include "settings.h"

#include <bpf/bpf_helpers.h>

#define NS_PER_SECOND 1000000000ull

__u64 stem_test_now_ns = 0;

/* Shared by the CPUs, written once a tick. A CPU that reads one word before and the other after a write is a
 * tick off. */
__u64 stem_clock_tick = 0;
__u64 stem_clock_ns = 0;

static __always_inline __u64 now_ns(void) {
    if (stem_test_clock) {
        return *(volatile __u64*)&stem_test_now_ns;
    }
    const __u64 tick = bpf_jiffies64();
    if (*(volatile __u64*)&stem_clock_tick != tick) {
        *(volatile __u64*)&stem_clock_ns = bpf_ktime_get_coarse_ns();
        *(volatile __u64*)&stem_clock_tick = tick;
    }
    return *(volatile __u64*)&stem_clock_ns;
}

/* For programs that are no packet's: those of type "syscall" have no coarse clock. */
static __always_inline __u64 now_ns_of_call(void) {
    return stem_test_clock ? *(volatile __u64*)&stem_test_now_ns : bpf_ktime_get_ns();
}

#endif
