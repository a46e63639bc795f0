/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Blocked signalling streams: those that flooded INVITEs, or that an operator denied. Their media carry their
 * name (struct stem_flow) and stop with them, while others behind the same address go on.
 *
 * Reads stream_seed, reads and writes sip_blocked and sip_blocked_filter. A stream that is not blocked costs
 * one load; one that is, or that shares its bit, a hash lookup.
 */
#ifndef STEM_BPF_STREAM_H
#define STEM_BPF_STREAM_H

#include "bound.h"
#include "clock.h"
#include "maps.h"
#include "packet.h"
#include "threshold.h"

#define STRIKES_MAX 16

static __always_inline __u64 stream_of(const struct packet* packet) {
    const __u32 zero = 0;
    const __u64* seed = bpf_map_lookup_elem(&stream_seed, &zero);
    return seed ? stem_stream_id(*seed, &packet->key.src, packet->key.sport, &packet->key.dst,
                                 packet->key.dport, packet->key.protocol)
                : 0;
}

/* The word of the filter that has the stream's bit. */
static __always_inline __u64* stream_word(__u64 stream) {
    const __u32 zero = 0;
    struct stem_sip_filter* filter = bpf_map_lookup_elem(&sip_blocked_filter, &zero);
    return filter ? &filter->word[bounded((__u32)(stream >> 6), STEM_SIP_FILTER_BITS / 64)] : NULL;
}

/* Counts the packet in the block, if there is one. */
static __always_inline int stream_is_blocked(__u64 stream, __u64 now) {
    if (!stream) {
        return 0;
    }
    const __u64* word = stream_word(stream);
    if (!word || !((*word >> (stream & 63)) & 1)) {
        return 0;
    }
    struct stem_sip_blocked* blocked = bpf_map_lookup_elem(&sip_blocked, &stream);
    if (!blocked || blocked->until_ns <= now) {
        return 0;
    }
    blocked->packets++;
    return 1;
}

/* How long a block lasts, when there were `strikes` of late. */
static __always_inline __u64 block_ns(const struct stem_thresholds* limits, __u32 strikes) {
    const __u64 period = (__u64)limits->sip_block << (strikes < STRIKES_MAX ? strikes : STRIKES_MAX);
    return (period < limits->sip_block_max ? period : limits->sip_block_max) * NS_PER_SECOND;
}

/* Strikes that still count, a while after the last block. */
static __always_inline __u32 strikes_left(const struct stem_thresholds* limits, __u32 strikes,
                                          __u64 blocked_until, __u64 now) {
    return now > blocked_until + limits->sip_block_max * NS_PER_SECOND ? 0 : strikes;
}

/* Constants, as the stack has no room for them. */
static const struct stem_sip_blocked never_blocked = {};

/* 1: the table is full. */
static __always_inline int block_stream(const struct packet* packet, __u64 stream,
                                        const struct stem_thresholds* limits, __u64 now) {
    struct stem_sip_blocked* blocked = bpf_map_lookup_elem(&sip_blocked, &stream);
    if (!blocked) {
        bpf_map_update_elem(&sip_blocked, &stream, &never_blocked, BPF_NOEXIST);
        blocked = bpf_map_lookup_elem(&sip_blocked, &stream);
        if (!blocked) {
            return 1;
        }
        blocked->sport = packet->key.sport;
        blocked->dport = packet->key.dport;
        blocked->src = packet->key.src;
        blocked->dst = packet->key.dst;
        blocked->protocol = packet->key.protocol;
    }
    if (blocked->until_ns > now) {
        return 0; /* since this packet was looked up: by another CPU, or by the operator, whose word stands */
    }
    const __u32 strikes = strikes_left(limits, blocked->strikes, blocked->until_ns, now);
    blocked->origin = STEM_DENY_SIGNALLING_MONITOR;
    blocked->note[0] = 0;
    blocked->until_ns = now + block_ns(limits, strikes);
    blocked->since_ns = now;
    blocked->strikes = strikes + 1;
    /* After the entry: stemd clears bits that have none. */
    __u64* word = stream_word(stream);
    if (word) {
        __sync_fetch_and_or(word, 1ull << (stream & 63));
    }
    return 0;
}

#endif
