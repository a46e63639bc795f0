/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Token buckets, kept as the time at which the bucket is full again (the generic cell rate algorithm, ITU-T
 * I.371): a word each, no division, no fraction lost. Two CPUs may race on one bucket; the error is at most
 * one packet for each CPU, which no codec notices, and a lock would serialise them.
 */
#ifndef STEM_BPF_BUCKET_H
#define STEM_BPF_BUCKET_H

#include <linux/types.h>

/* The new "full at", if `cost` fits into a bucket of `burst_ns`; 0 if it does not. An empty bucket takes one
 * of anything, however shallow it is: the least rate is a rate. */
static __always_inline __u64 bucket_take(__u64 full_at, __u64 now, __u64 cost_ns, __u64 burst_ns) {
    const __u64 base = full_at > now ? full_at : now;
    const __u64 depth = burst_ns > cost_ns ? burst_ns : cost_ns;
    return base + cost_ns > now + depth ? 0 : base + cost_ns;
}

/* Two ticks of the clock: a CPU may read the time of before the last one. */
#define BUCKET_SKEW_NS 50000000ull

/* "Full at" of a bucket that is never deeper than `depth_ns`: what is beyond that is of deeper days, before
 * its threshold was changed, and is nobody's excess. */
static __always_inline __u64 bucket_within(__u64 full_at, __u64 now, __u64 depth_ns) {
    return full_at > now + depth_ns ? 0 : full_at;
}

/* For a bucket whose running over has consequences: in doubt it does not run over. */
static __always_inline __u64 block_take(__u64 full_at, __u64 now, __u64 cost_ns, __u64 burst_ns) {
    const __u64 depth = burst_ns > cost_ns ? burst_ns : cost_ns;
    return bucket_take(bucket_within(full_at, now, depth), now, cost_ns, burst_ns);
}

#endif
