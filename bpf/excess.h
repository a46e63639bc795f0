/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a packet's fault means for its stream: it is counted, and when the excess lasts, the stream is lowered
 * or ended as policy says (threshold rtp_reaction, or the flow's own).
 *
 * Writes into the flow, and to notices. Only packets that are dropped come here.
 */
#ifndef STEM_BPF_EXCESS_H
#define STEM_BPF_EXCESS_H

#include "bound.h"
#include "notice.h"
#include "threshold.h"

#define EXCESS_SECOND_NS 1000000000ull
#define NS_PER_KIB_AT_1_KBPS 8192000000ull

static __always_inline int fault_of(enum stem_reason reason) {
    switch (reason) {
#define STEM_FAULT_OF(name, number, reason, label)                                                           \
    case STEM_##reason:                                                                                      \
        return number;
        STEM_FLOW_FAULTS(STEM_FAULT_OF)
#undef STEM_FAULT_OF
    default:
        return STEM_FLOW_FAULTS_MAX - 1;
    }
}

/* 1: as many seconds of excess as policy bears, one after the other. */
static __always_inline int is_lasting(struct stem_flow* flow, const struct stem_thresholds* limits,
                                      __u64 now) {
    const __u64 passed = now - flow->excess_began_ns;
    if (passed >= 2 * EXCESS_SECOND_NS || now < flow->excess_began_ns) {
        flow->excess_began_ns = now;
        flow->excess_packets = 0;
        flow->excess_seconds = 0;
    } else if (passed >= EXCESS_SECOND_NS) {
        if (flow->excess_packets < limits->rtp_excess_packets) {
            flow->excess_seconds = 0;
        }
        flow->excess_began_ns += EXCESS_SECOND_NS;
        flow->excess_packets = 0;
    }
    flow->excess_packets++;
    if (flow->excess_packets != limits->rtp_excess_packets) {
        return 0;
    }
    if (flow->excess_seconds < 255) {
        flow->excess_seconds++;
    }
    return flow->excess_seconds >= limits->rtp_excess_seconds;
}

static __always_inline void react(struct stem_flow* flow, const struct packet* packet,
                                  const struct stem_thresholds* limits, enum stem_reason reason) {
    const __u32 reaction = flow->reaction != STEM_REACT_DEFAULT ? flow->reaction : limits->rtp_reaction;
    if (reaction == STEM_REACT_END) {
        flow->state |= STEM_STREAM_ENDED;
        notify(packet, flow->dialog, STEM_NOTICE_ENDED, reason);
        return;
    }
    const int over_rate = reason == STEM_FLOW_BYTE_RATE || reason == STEM_FLOW_PACKET_RATE;
    if (reaction != STEM_REACT_LOWER || !over_rate || (flow->state & STEM_STREAM_LOWERED)) {
        return;
    }
    const __u64 cost = NS_PER_KIB_AT_1_KBPS / (limits->rtp_lowered_kbps ? limits->rtp_lowered_kbps : 1);
    if (cost > flow->ns_per_kib) {
        flow->ns_per_kib = cost > 0xffffffffull ? 0xffffffffu : (__u32)cost;
    }
    flow->state |= STEM_STREAM_LOWERED;
    notify(packet, flow->dialog, STEM_NOTICE_LOWERED, reason);
}

/* A function of its own, for the verifier's sake. Gives 0, as such functions must give a number. */
__noinline int note_fault(struct stem_flow* flow, const struct packet* packet, __u32 reason, __u64 now) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!flow || !packet || !limits) {
        return 0;
    }
    flow->dropped_packets++;
    flow->dropped_bytes += packet->ip_length;
    flow->faults[bounded(fault_of(reason), STEM_FLOW_FAULTS_MAX)]++;
    /* Neither what the whole firewall has too much of nor what is over already is the stream's doing; nor are
     * the packets that a block of its signalling stops. */
    if (reason == STEM_FLOW_TOTAL || reason == STEM_FLOW_ENDED || reason == STEM_FLOW_DENIED ||
        reason == STEM_SIP_STREAM_BLOCKED) {
        return 0;
    }
    if (is_lasting(flow, limits, now)) {
        react(flow, packet, limits, (enum stem_reason)reason);
    }
    return 0;
}

#endif
