/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Whose packets these are, and in which order: sources and sequence numbers (RFC 3550 A.1), held in the flow.
 * Repeated numbers, jumps and new sources are let through as often as networks and phones make them, and not
 * oftener. Loss, reordering and repetition are counted on the way.
 *
 * Owns no maps; reads thresholds where a packet is not the next one. In order: two words of the flow's third
 * cache line.
 */
#ifndef STEM_BPF_SOURCE_H
#define STEM_BPF_SOURCE_H

#include "bucket.h"
#include "threshold.h"

#include <stem/abi/flow.h>
#include <stem/abi/reason.h>

#define SEQUENCE_DROPOUT_MAX 3000 /* RFC 3550 A.1: further ahead is a jump, not a gap */
#define SEQUENCE_MISORDER_MAX 100 /* further back is a jump, not a late packet */
#define SEQUENCE_WINDOW 64        /* packets that are told apart one by one */
#define SEQUENCE_CYCLE 0x10000u
#define RESTARTS_BURST_NS 60000000000ull /* a minute's at once */

/* 1: the next packet of the source that sent last. */
static __always_inline int is_next(struct stem_flow* flow, __u32 ssrc, __u16 sequence) {
    struct stem_source* source = &flow->source[0];
    if (source->ssrc != ssrc || !source->window || (__u16)(sequence - source->sequence) != 1) {
        return 0;
    }
    source->sequence++;
    source->window = source->window << 1 | 1;
    if (flow->repeats) {
        flow->repeats--;
    }
    return 1;
}

/* A new source or a jump: is there one left in this minute? */
static __always_inline int may_restart(struct stem_flow* flow, const struct stem_thresholds* limits,
                                       __u64 now) {
    if (!limits->rtp_restarts) {
        return 1;
    }
    const __u64 cost = RESTARTS_BURST_NS / limits->rtp_restarts;
    const __u64 full_at = bucket_take(flow->restarts_full_at_ns, now, cost, RESTARTS_BURST_NS);
    if (!full_at) {
        return 0;
    }
    flow->restarts_full_at_ns = full_at;
    return 1;
}

static __always_inline enum stem_reason repeat(struct stem_flow* flow, const struct stem_thresholds* limits) {
    if (limits->rtp_repeats && flow->repeats >= limits->rtp_repeats) {
        return STEM_RTP_REPEATED;
    }
    if (flow->repeats < 255) {
        flow->repeats++;
    }
    flow->repeated++;
    return STEM_CONTINUE;
}

static __always_inline enum stem_reason late(struct stem_flow* flow, struct stem_source* source, __u32 back,
                                             const struct stem_thresholds* limits) {
    /* What is older than the window may be a repetition, and counts as one: nothing can tell. */
    if (back >= SEQUENCE_WINDOW || (source->window >> back) & 1) {
        return repeat(flow, limits);
    }
    source->window |= 1ull << back;
    flow->reordered++;
    if (flow->lost) {
        flow->lost--;
    }
    return STEM_CONTINUE;
}

/* RFC 3550 A.1: two packets in a row make a new place in the sequence. So one forged packet does not lead the
 * stream away. */
static __always_inline enum stem_reason jump(struct stem_flow* flow, struct stem_source* source,
                                             __u16 sequence, const struct stem_thresholds* limits,
                                             __u64 now) {
    if (flow->restarting && sequence == flow->bad_sequence) {
        flow->restarting = 0;
        source->sequence = (source->sequence & ~(SEQUENCE_CYCLE - 1)) + SEQUENCE_CYCLE + sequence;
        source->window = 1;
        return STEM_CONTINUE;
    }
    flow->restarting = 1;
    flow->bad_sequence = sequence + 1;
    if (!may_restart(flow, limits, now)) {
        return STEM_RTP_SEQUENCE;
    }
    flow->jumps++;
    return STEM_CONTINUE;
}

static __always_inline enum stem_reason place(struct stem_flow* flow, struct stem_source* source,
                                              __u16 sequence, const struct stem_thresholds* limits,
                                              __u64 now) {
    const __u32 ahead = (__u16)(sequence - source->sequence);
    if (ahead == 0) {
        return repeat(flow, limits);
    }
    if (ahead < SEQUENCE_DROPOUT_MAX) {
        source->sequence += ahead;
        source->window = ahead < SEQUENCE_WINDOW ? source->window << ahead | 1 : 1;
        flow->lost += ahead - 1;
        if (flow->repeats) {
            flow->repeats--;
        }
        return STEM_CONTINUE;
    }
    if (SEQUENCE_CYCLE - ahead <= SEQUENCE_MISORDER_MAX) {
        return late(flow, source, SEQUENCE_CYCLE - ahead, limits);
    }
    return jump(flow, source, sequence, limits, now);
}

/* A new source takes a free slot, else the last one: what is established is not pushed out by names that come
 * once. */
static __always_inline enum stem_reason begin_source(struct stem_flow* flow, __u32 ssrc, __u16 sequence,
                                                     const struct stem_thresholds* limits, __u64 now) {
    const struct stem_source fresh = {.window = 1, .ssrc = ssrc, .sequence = sequence};
    if (!flow->source[0].window) {
        flow->source[0] = fresh;
        return STEM_CONTINUE;
    }
    if (!may_restart(flow, limits, now)) {
        return STEM_RTP_SOURCES;
    }
    flow->new_sources++;
    if (!flow->source[1].window) {
        flow->source[1] = fresh;
    } else if (!flow->source[2].window) {
        flow->source[2] = fresh;
    } else {
        flow->source[3] = fresh;
    }
    return STEM_CONTINUE;
}

/* All but the next packet. A function of its own, for the verifier's sake. Gives an enum stem_reason. */
__noinline int follow_source(struct stem_flow* flow, __u32 ssrc, __u32 sequence, __u64 now) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!flow || !limits) {
        return STEM_INTERNAL;
    }
    const __u16 number = (__u16)sequence;
    if (flow->source[0].window && flow->source[0].ssrc == ssrc) {
        return place(flow, &flow->source[0], number, limits, now);
    }
    flow->jitter_state = STEM_JITTER_NONE;
    for (int i = 1; i < STEM_SOURCES_MAX; i++) {
        struct stem_source* source = &flow->source[i];
        if (!source->window || source->ssrc != ssrc) {
            continue;
        }
        const enum stem_reason fault = place(flow, source, number, limits, now);
        if (fault == STEM_CONTINUE && (source->window & (source->window - 1))) {
            /* Two of its packets are here: it is established, and the first to be looked for. */
            const struct stem_source established = *source;
            *source = flow->source[0];
            flow->source[0] = established;
        }
        return fault;
    }
    return begin_source(flow, ssrc, number, limits, now);
}

#endif
