/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Token buckets, kept as the time at which the bucket is full again (the generic cell rate algorithm, ITU-T
 * I.371): a word each, no division, no fraction lost. Two CPUs may race on one bucket; the error is at most
 * one packet for each CPU, which no codec notices, and a lock would serialise them.
 */
#ifndef STEM_BPF_BUCKET_H
#define STEM_BPF_BUCKET_H

#include <linux/types.h>

/* The new "full at", if `cost` fits into a bucket of `burst_ns`; 0 if it does not. */
static __always_inline __u64 bucket_take(__u64 full_at, __u64 now, __u64 cost_ns, __u64 burst_ns) {
    const __u64 base = full_at > now ? full_at : now;
    return base + cost_ns > now + burst_ns ? 0 : base + cost_ns;
}

#endif
