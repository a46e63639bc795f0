/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * SYN monitor: TCP connection attempts from outside, held to budgets by source address, by IPv4 /24 and IPv6
 * /64, and, when many spoofed sources attack, all unknown ones together. Known peers have buckets of their
 * own. A source far above its budget is blocked, each time for longer.
 *
 * Memory is fixed: attempts are counted in sketches, so no flood makes room for itself. A bystander is held
 * back only if it shares its column with floods in both rows, and rows are hashed with a seed that nobody
 * outside knows. Blocked sources are in a table of their own that only expiry empties; when it is full a
 * source is held to its budget and not blocked.
 *
 * Reads thresholds, posture and peers; writes syn_sketch, syn_blocked, syn_counts. A SYN costs about five
 * hash lookups and six loads; every other packet nothing.
 */
#ifndef STEM_BPF_SYN_H
#define STEM_BPF_SYN_H

#include "bound.h"
#include "bucket.h"
#include "half_open.h"
#include "proof.h"
#include "syn_count.h"
#include "threshold.h"

const volatile __u64 stem_syn_seed = 0; /* at attach: random */

static __always_inline __u64 mix(__u64 state, __u64 word) {
    state = (state ^ word) * 0x9e3779b97f4a7c15ull;
    return state ^ (state >> 32);
}

/* Of an address, or of the network that its first `octets` octets name (8 or 15; 16 = the address). */
static __always_inline __u64 source_hash(const struct stem_addr* source, __u32 octets) {
    __u64 half[2];
    __builtin_memcpy(half, source->octet, sizeof(half));
    if (octets == 8) {
        half[1] = 0;
    } else if (octets == 15) {
        half[1] &= __builtin_bswap64(~0xffull);
    }
    return mix(mix(mix(stem_syn_seed ^ octets, half[0]), half[1]), stem_syn_seed);
}

/*
 * Charges one SYN to a source's bucket in a sketch; 1 = there was no room. Both rows are raised only as far
 * as the lower one asks (Estan and Varghese's conservative update), so that a neighbour's flood in one row
 * does not grow with our own SYNs.
 */
static __always_inline int runs_over(enum stem_syn_sketch_kind kind, __u64 hash, __u64 now, __u64 cost_ns,
                                     __u64 burst_ns) {
    const __u32 index = kind;
    struct stem_syn_sketch* sketch = bpf_map_lookup_elem(&syn_sketch, &index);
    if (!sketch) {
        return 1;
    }
    __u64* first = &sketch->full_at_ns[0][bounded((__u32)(hash >> 48), STEM_SYN_COLUMNS)];
    __u64* second = &sketch->full_at_ns[1][bounded((__u32)(hash >> 16), STEM_SYN_COLUMNS)];
    const __u64 depth = burst_ns + cost_ns + BUCKET_SKEW_NS;
    const __u64 one = bucket_within(*first, now, depth);
    const __u64 other = bucket_within(*second, now, depth);
    const __u64 next = bucket_take(one < other ? one : other, now, cost_ns, burst_ns);
    if (!next) {
        return 1;
    }
    *first = one < next ? next : one;
    *second = other < next ? next : other;
    return 0;
}

/* Whom a block would hit: an IPv4 address, or the /64 of an IPv6 one, which is one site's. */
static __always_inline void blocked_key(struct stem_syn_blocked_key* key, const struct packet* packet) {
    key->source = packet->key.src;
    key->prefix_length = 128;
    key->zero = 0;
    if (packet->ip_version == 6) {
        __builtin_memset(&key->source.octet[8], 0, 8);
        key->prefix_length = 64;
    }
}

static __always_inline __u64 block_length(const struct stem_thresholds* limits, __u32 strikes) {
    const __u64 length = (__u64)limits->syn_block_seconds << (strikes < 16 ? strikes : 16);
    const __u64 longest = limits->syn_block_max_seconds;
    return (length < longest ? length : longest) * 1000000000ull;
}

static __always_inline void block_source(const struct stem_syn_blocked_key* key,
                                         const struct stem_thresholds* limits, __u64 now) {
    struct stem_syn_blocked* there = bpf_map_lookup_elem(&syn_blocked, key);
    if (there) {
        /* Quiet for as long as it was blocked: forgiven. */
        const __u64 length = there->until_ns - there->since_ns;
        const __u32 strikes = now > there->until_ns + length ? 0 : there->strikes;
        there->since_ns = now;
        there->until_ns = now + block_length(limits, strikes);
        there->strikes = strikes + 1;
        count_syn(STEM_SYN_COUNT_BLOCK);
        return;
    }
    const struct stem_syn_blocked fresh = {
        .until_ns = now + block_length(limits, 0), .since_ns = now, .packets = 1, .strikes = 1};
    const long status = bpf_map_update_elem(&syn_blocked, key, &fresh, BPF_NOEXIST);
    count_syn(status ? STEM_SYN_COUNT_UNBLOCKED : STEM_SYN_COUNT_BLOCK);
}

static __always_inline enum stem_reason
judge_unknown_source(const struct packet* packet, const struct stem_thresholds* limits, __u64 now) {
    struct stem_syn_blocked_key key;
    blocked_key(&key, packet);
    struct stem_syn_blocked* blocked = bpf_map_lookup_elem(&syn_blocked, &key);
    if (blocked && blocked->until_ns > now) {
        blocked->packets++;
        return STEM_SYN_BLOCKED;
    }
    const __u64 cost = 1000000000ull / (limits->syn_rate ? limits->syn_rate : 1);
    const __u64 burst = cost * limits->syn_burst;
    const __u32 factor = limits->syn_prefix_factor;
    const __u64 own = source_hash(&packet->key.src, 16);
    const __u64 network = source_hash(&packet->key.src, packet->ip_version == 6 ? 8 : 15);
    if (limits->syn_block_multiple && limits->syn_block_seconds) {
        const __u64 multiple =
            (__u64)limits->syn_block_multiple * (packet->ip_version == 6 && factor ? factor : 1);
        if (runs_over(STEM_SYN_SKETCH_BLOCK, packet->ip_version == 6 ? network : own, now, cost / multiple,
                      burst)) {
            block_source(&key, limits, now);
            return STEM_SYN_BLOCKED;
        }
    }
    if (runs_over(STEM_SYN_SKETCH_SOURCE, own, now, cost, burst)) {
        return STEM_SYN_SOURCE_RATE;
    }
    if (factor && runs_over(STEM_SYN_SKETCH_PREFIX, network, now, cost / factor, burst)) {
        return STEM_SYN_PREFIX_RATE;
    }
    return STEM_CONTINUE;
}

/* What all unknown sources together may begin while there is an attack. */
static __always_inline int unknown_lane_has_room(const struct stem_thresholds* limits, __u64 now) {
    const __u32 zero = 0;
    __u64* full_at = bpf_map_lookup_elem(&syn_unknown_lane, &zero);
    if (!full_at || !limits->syn_unknown_rate) {
        return 0;
    }
    const __u64 next = bucket_take(*full_at, now, 1000000000ull / limits->syn_unknown_rate, 1000000000ull);
    if (!next) {
        return 0;
    }
    *full_at = next;
    return 1;
}

static __always_inline enum stem_reason judge_attempt(const struct packet* packet,
                                                      const struct stem_thresholds* limits) {
    const __u64 now = now_ns();
    count_syn(STEM_SYN_COUNT_SYN);
    if (known_peer(&packet->key.src)) {
        const __u64 rate = (__u64)limits->syn_rate * limits->syn_known_factor;
        const __u64 cost = 1000000000ull / (rate ? rate : 1);
        if (runs_over(STEM_SYN_SKETCH_KNOWN, source_hash(&packet->key.src, 16), now, cost,
                      cost * limits->syn_known_factor * limits->syn_burst)) {
            return STEM_SYN_SOURCE_RATE;
        }
        (void)note_attempt(packet, limits, now);
        return STEM_CONTINUE;
    }
    const enum stem_reason reason = judge_unknown_source(packet, limits, now);
    if (reason != STEM_CONTINUE) {
        return reason;
    }
    const int pressed =
        half_open_is_full(packet, limits, now) || (posture_bits() & STEM_POSTURE_KNOWN_SYN) != 0;
    if (pressed && !is_proven(&packet->key.src, now)) {
        if ((stem_modules & STEM_MODULE_SYN_COOKIE) && can_be_challenged(packet)) {
            return STEM_SYN_CHALLENGED;
        }
        if (!unknown_lane_has_room(limits, now)) {
            return STEM_SYN_UNKNOWN_LANE;
        }
    }
    (void)note_attempt(packet, limits, now);
    return STEM_CONTINUE;
}

/* TCP of both directions; gives an enum stem_reason. A function of its own, for the verifier's sake. */
__noinline int judge_syn(struct xdp_md* context, struct packet* packet) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!packet || !limits) {
        return STEM_INTERNAL;
    }
    const __u8 flags = packet->tcp_flags;
    if (packet->key.direction == STEM_OUTBOUND) {
        if ((flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
            count_syn(STEM_SYN_COUNT_SYN_ACK);
            note_answer(context, packet, limits);
        }
        return STEM_CONTINUE;
    }
    if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        return judge_attempt(packet, limits);
    }
    if ((stem_modules & STEM_MODULE_SYN_COOKIE) && (flags & (TCP_RST | TCP_ACK)) == TCP_RST) {
        return take_proof(context, packet, limits, now_ns());
    }
    if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK) {
        note_completion(context, packet, limits, now_ns());
    }
    return STEM_CONTINUE;
}

#endif
