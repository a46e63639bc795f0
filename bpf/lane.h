/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The lane of those that nobody knows: what all of them together may send to stemd, by kind and in octets,
 * and what of keep-alives may pass it by. However many sources a flood has, it fills neither the AF_XDP ring
 * nor the parser.
 *
 * Reads and writes sip_lane. One entry for all CPUs: a compare-and-swap for a packet that is let in, a load
 * for one that is not.
 */
#ifndef STEM_BPF_LANE_H
#define STEM_BPF_LANE_H

#include "bound.h"
#include "bucket.h"
#include "maps.h"
#include "threshold.h"

/* At once: half a second's worth. All kinds together then fill half of an AF_XDP ring. */
#define LANE_BURST_NS 500000000ull
#define LANE_TRIES 4 /* of the compare-and-swap; each that fails let another CPU's packet in */

static __always_inline __u32 lane_rate(const struct stem_thresholds* limits, enum stem_sip_kind kind) {
    switch (kind) {
    case STEM_SIP_KIND_INVITE:
        return limits->sip_unknown_invites;
    case STEM_SIP_KIND_REGISTER:
        return limits->sip_unknown_registers;
    case STEM_SIP_KIND_RESPONSE:
        return limits->sip_unknown_responses;
    case STEM_SIP_KIND_SEGMENT:
        return limits->sip_unknown_segments;
    case STEM_SIP_KIND_KEEPALIVE:
        return limits->keepalive_unknown;
    default:
        return limits->sip_unknown_requests;
    }
}

/* OPTIONS, other requests and noise share a bucket. */
static __always_inline __u32 lane_bucket(enum stem_sip_kind kind) {
    return kind == STEM_SIP_KIND_OPTIONS || kind == STEM_SIP_KIND_NOISE ? STEM_SIP_KIND_REQUEST : kind;
}

/* Percent of its rates that the lane has: all, or what an alarm leaves the unknown. */
static __always_inline __u64 lane_share(const struct stem_thresholds* limits) {
    return posture_bits() & STEM_POSTURE_KNOWN_SIP ? limits->detector_unknown_share : 100;
}

static __always_inline __u64 lane_cost(__u64 share, __u64 rate, __u64 units) {
    const __u64 percent_of_rate = rate * share;
    return units * NS_PER_SECOND * 100 / (percent_of_rate ? percent_of_rate : 1);
}

static __always_inline int lane_take(__u64* bucket, __u64 now, __u64 cost) {
    for (int i = 0; i < LANE_TRIES; i++) {
        const __u64 full_at = *(volatile __u64*)bucket;
        const __u64 next = bucket_take(full_at, now, cost, LANE_BURST_NS);
        if (!next) {
            return 0;
        }
        if (__sync_val_compare_and_swap(bucket, full_at, next) == full_at) {
            return 1;
        }
    }
    return 0;
}

/* Is there room at all? Asked before anything is counted for a source: a flood from a million sources then
 * costs no more than this. */
static __always_inline int lane_has_room(const struct stem_thresholds* limits, enum stem_sip_kind kind,
                                         __u64 now) {
    const __u32 zero = 0;
    const __u64 share = lane_share(limits);
    const struct stem_sip_lane_budget* lane = bpf_map_lookup_elem(&sip_lane, &zero);
    return lane && share &&
           bucket_take(lane->full_at_ns[bounded(lane_bucket(kind), STEM_SIP_KINDS)], now,
                       lane_cost(share, lane_rate(limits, kind), 1), LANE_BURST_NS) != 0;
}

static __always_inline int lane_lets_keepalive_in(const struct stem_thresholds* limits, __u64 now) {
    const __u32 zero = 0;
    const __u64 share = lane_share(limits);
    struct stem_sip_lane_budget* lane = bpf_map_lookup_elem(&sip_lane, &zero);
    return lane && share &&
           lane_take(&lane->full_at_ns[STEM_SIP_KIND_KEEPALIVE], now,
                     lane_cost(share, lane_rate(limits, STEM_SIP_KIND_KEEPALIVE), 1));
}

static __always_inline int lane_lets_in(const struct stem_thresholds* limits, enum stem_sip_kind kind,
                                        __u32 octets, __u64 now) {
    const __u32 zero = 0;
    const __u64 share = lane_share(limits);
    struct stem_sip_lane_budget* lane = bpf_map_lookup_elem(&sip_lane, &zero);
    return lane && share &&
           lane_take(&lane->full_at_ns[bounded(lane_bucket(kind), STEM_SIP_KINDS)], now,
                     lane_cost(share, lane_rate(limits, kind), 1)) &&
           lane_take(&lane->bytes_full_at_ns, now, lane_cost(share, limits->sip_unknown_bytes, octets));
}

#endif
