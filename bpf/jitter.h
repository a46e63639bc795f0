/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Interarrival jitter (RFC 3550 6.4.1, A.8), in the clock of the packet's payload type.
 *
 * The coarse clock of clock.h would spoil it, and the exact one costs 32 ns: so, unless threshold rtp_quality
 * asks for each packet, 16 steps of each 64 packets are measured, one after the other. Owns no maps.
 */
#ifndef STEM_BPF_JITTER_H
#define STEM_BPF_JITTER_H

#include "clock.h"

#include <stem/abi/flow.h>

#define JITTER_PERIOD 64
#define JITTER_STEPS 16
#define JITTER_US_OF_16TH 62500ull /* a second in microseconds, over sixteen */
#define JITTER_UNMEASURED 3        /* in stem_flow::clock_of */

enum rtp_quality { RTP_QUALITY_OFF = 0, RTP_QUALITY_SAMPLED = 1, RTP_QUALITY_EACH = 2 };

static __always_inline __u64 exact_now_ns(void) {
    return stem_test_clock ? now_ns() : bpf_ktime_get_ns();
}

/* Is this one of the packets that are measured? */
static __always_inline int is_measured(const struct stem_flow* flow, __u32 quality) {
    return quality == RTP_QUALITY_EACH ||
           (quality == RTP_QUALITY_SAMPLED && (flow->packets & (JITTER_PERIOD - 1)) <= JITTER_STEPS);
}

/* The table is on a cache line that nothing else needs: the clock of the last packet's type is kept. */
static __always_inline __u8 clock_of(const struct stem_flow* flow, __u32 type) {
    if (flow->jitter_state == STEM_JITTER_RUNNING && flow->jitter_type == type) {
        return flow->jitter_clock;
    }
    return (flow->clock_of[type >> 2] >> ((type & 3) * 2)) & 3;
}

/* A function of its own, for the verifier's sake. Gives 0, as such functions must give a number. */
__noinline int measure_jitter(struct stem_flow* flow, __u32 type, __u32 timestamp, __u32 quality) {
    if (!flow) {
        return 0;
    }
    const __u8 clock = clock_of(flow, type & 0x7f);
    if (clock >= STEM_CLOCKS_MAX) {
        return 0;
    }
    const __u64 hz = flow->clock_hz[clock];
    if (!hz) {
        return 0;
    }
    const __u64 now = exact_now_ns();
    /* In two parts: nanoseconds times hertz do not fit a word. */
    const __u32 arrival = (__u32)(now / 1000000000ull * hz + now % 1000000000ull * hz / 1000000000ull);
    const __u32 transit = arrival - timestamp;
    const int first = quality == RTP_QUALITY_SAMPLED && (flow->packets & (JITTER_PERIOD - 1)) == 0;
    if (flow->jitter_state == STEM_JITTER_RUNNING && flow->jitter_clock == clock && !first) {
        __u32 step = transit - flow->transit;
        if (step >> 31) {
            step = -step;
        }
        flow->jitter_16 += step - ((flow->jitter_16 + 8) >> 4);
        const __u64 us = flow->jitter_16 * JITTER_US_OF_16TH / hz;
        if (us > flow->max_jitter_us) {
            flow->max_jitter_us = (__u32)us;
        }
    } else if (flow->jitter_clock != clock) {
        flow->jitter_16 = 0; /* counted in the other clock */
    }
    flow->transit = transit;
    flow->jitter_clock = clock;
    flow->jitter_type = type & 0x7f;
    flow->jitter_state = STEM_JITTER_RUNNING;
    return 0;
}

#endif
