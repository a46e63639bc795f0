/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Flow Monitor: a packet of an open pinhole is checked against what the call negotiated, followed in its
 * stream, policed against its rate, counted, and let through.
 *
 * Reads and counts in flows; reads thresholds. One hash lookup (20 ns when the table is small, a few cache
 * misses when it is large) and three cache lines of the value.
 */
#ifndef STEM_BPF_FLOW_H
#define STEM_BPF_FLOW_H

#include "beside.h"
#include "bucket.h"
#include "clock.h"
#include "excess.h"
#include "jitter.h"
#include "maps.h"
#include "packet.h"
#include "rtp.h"
#include "source.h"
#include "stream.h"
#include "threshold.h"
#include "total.h"

static __always_inline enum stem_reason police(struct stem_flow* flow, __u32 length, __u64 now) {
    const __u64 byte_cost = ((__u64)length * flow->ns_per_kib) >> 10;
    const __u64 bytes_full_at = bucket_take(flow->bytes_full_at_ns, now, byte_cost, flow->bytes_burst_ns);
    if (!bytes_full_at) {
        return STEM_FLOW_BYTE_RATE;
    }
    const __u64 packets_full_at =
        bucket_take(flow->packets_full_at_ns, now, flow->ns_per_packet, flow->packets_burst_ns);
    if (!packets_full_at) {
        return STEM_FLOW_PACKET_RATE;
    }
    flow->bytes_full_at_ns = bytes_full_at;
    flow->packets_full_at_ns = packets_full_at;
    return STEM_CONTINUE;
}

/* The stream's own order, before its rate: what is repeated or made up must not spend what the stream may
 * send. */
static __always_inline enum stem_reason follow(struct xdp_md* context, const struct rtp_header* rtp,
                                               const struct packet* packet, struct stem_flow* flow,
                                               __u64 now) {
    if (rtp->start.version_flags != RTP_VERSION_ALONE) {
        const enum stem_reason fault =
            (enum stem_reason)check_lengths(context, packet, flow->flags & STEM_FLOW_SRTP);
        if (fault != STEM_CONTINUE) {
            return fault;
        }
    }
    const __u32 ssrc = from_be32(rtp->ssrc);
    const __u16 sequence = from_be16(rtp->start.sequence);
    if (is_next(flow, ssrc, sequence)) {
        return STEM_CONTINUE;
    }
    return (enum stem_reason)follow_source(flow, ssrc, sequence, now);
}

static __always_inline int awaits_check(const struct stem_flow* flow) {
    return (flow->flags & STEM_FLOW_CANDIDATE) && !(flow->state & STEM_STREAM_CHECKED);
}

/* RTP and RTCP. */
static __always_inline enum stem_reason judge_rtp(struct xdp_md* context, const struct frame* frame,
                                                  const struct packet* packet, struct stem_flow* flow,
                                                  const struct stem_thresholds* limits, __u64 now) {
    const struct rtp_header* rtp = frame->payload;
    const __u16 length = packet->payload_length;
    /* The datagram's own length decides; the frame, which is never shorter, only satisfies the verifier. */
    const int has_start = (void*)(&rtp->start + 1) <= frame->end;
    enum stem_reason fault = check_form(has_start ? &rtp->start : NULL, length, flow);
    if (fault == STEM_RTP_VERSION && (flow->flags & (STEM_FLOW_STUN | STEM_FLOW_DTLS))) {
        return (enum stem_reason)judge_beside(context, packet, flow, now);
    }
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    if (awaits_check(flow)) {
        return STEM_MEDIA_UNCHECKED;
    }
    if (is_rtcp_of(&rtp->start, length, flow)) {
        return police(flow, packet->ip_length, now);
    }
    if ((void*)(rtp + 1) > frame->end) {
        return STEM_RTP_SIZE;
    }
    const __u32 type = rtp->start.marker_type & 0x7f;
    const __u32 timestamp = from_be32(rtp->timestamp);
    fault = follow(context, rtp, packet, flow, now);
    if (fault == STEM_CONTINUE) {
        fault = police(flow, packet->ip_length, now);
    }
    if (fault == STEM_CONTINUE && is_measured(flow, limits->rtp_quality)) {
        measure_jitter(flow, type, timestamp, limits->rtp_quality);
    }
    return fault;
}

static __always_inline enum stem_reason judge_media(struct xdp_md* context, const struct frame* frame,
                                                    const struct packet* packet, struct stem_flow* flow,
                                                    const struct stem_thresholds* limits, __u64 now) {
    if (flow->denied_until_ns > now) {
        return STEM_FLOW_DENIED;
    }
    if (flow->state & STEM_STREAM_ENDED) {
        return STEM_FLOW_ENDED;
    }
    if (stream_is_blocked(flow->stream, now)) {
        return STEM_SIP_STREAM_BLOCKED;
    }
    enum stem_reason fault;
    if (flow->kind == STEM_FLOW_UDPTL) {
        fault = (enum stem_reason)judge_udptl(context, packet, flow);
        fault = fault == STEM_CONTINUE ? police(flow, packet->ip_length, now) : fault;
    } else {
        fault = judge_rtp(context, frame, packet, flow, limits, now);
    }
    if (fault == STEM_CONTINUE && limits->rtp_total_kbps &&
        !within_total(packet->key.direction, packet->ip_length, limits->rtp_total_kbps, now)) {
        return STEM_FLOW_TOTAL;
    }
    return fault;
}

static __always_inline enum stem_reason judge_flow(struct xdp_md* context, const struct frame* frame,
                                                   const struct packet* packet) {
    if (packet->key.protocol != IPPROTO_UDP || !frame->payload) {
        return STEM_CONTINUE;
    }
    struct stem_flow* flow = bpf_map_lookup_elem(&flows, &packet->key);
    if (!flow) {
        return STEM_CONTINUE;
    }
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!limits) {
        return STEM_INTERNAL;
    }
    const __u64 now = now_ns();
    const enum stem_reason fault = judge_media(context, frame, packet, flow, limits, now);
    if (fault != STEM_CONTINUE) {
        note_fault(flow, packet, fault, now);
        return fault;
    }
    flow->last_seen_ns = now;
    flow->packets++;
    flow->bytes += packet->ip_length;
    return STEM_FLOW;
}

#endif
