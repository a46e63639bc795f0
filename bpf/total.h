/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * All media of one direction together, against threshold rtp_total_kbps. One bucket that the CPUs share; each
 * takes a millisecond of it in advance, so that they meet a thousand times a second and not with each packet.
 *
 * Writes media_total and media_share. Costs nothing where no limit is set, else a division and a lookup.
 */
#ifndef STEM_BPF_TOTAL_H
#define STEM_BPF_TOTAL_H

#include "bucket.h"
#include "maps.h"

#define TOTAL_BURST_NS 200000000ull /* phones that resume together; two late ticks of the clock */
#define TOTAL_CHUNK_NS 1000000ull
#define NS_PER_OCTET_AT_1_KBPS 8000000ull

/* 1 if the packet is within the limit, which is not 0. A function of its own, for the verifier's sake. */
__noinline int within_total(__u32 direction, __u32 length, __u32 kbps, __u64 now) {
    const __u32 way = direction & 1;
    struct stem_total* total = bpf_map_lookup_elem(&media_total, &way);
    __u64* share = bpf_map_lookup_elem(&media_share, &way);
    if (!total || !share || !kbps) {
        return 0;
    }
    const __u64 cost = (__u64)length * NS_PER_OCTET_AT_1_KBPS / kbps;
    if (*share >= cost) {
        *share -= cost;
        return 1;
    }
    const __u64 chunk = cost + TOTAL_CHUNK_NS;
    const __u64 full_at = bucket_take(total->full_at_ns, now, chunk, TOTAL_BURST_NS);
    if (!full_at) {
        return 0;
    }
    total->full_at_ns = full_at;
    *share += chunk - cost;
    return 1;
}

#endif
