/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Flow Monitor: a packet of an open pinhole is checked against what the call negotiated, policed against its
 * rate, counted, and let through.
 *
 * Reads and counts in flows. One hash lookup (20 ns when the table is small, a few cache misses when it is
 * large) and the two cache lines of the value.
 */
#ifndef STEM_BPF_FLOW_H
#define STEM_BPF_FLOW_H

#include "bucket.h"
#include "clock.h"
#include "maps.h"
#include "packet.h"
#include "rtp.h"
#include "stream.h"

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

static __always_inline enum stem_reason judge_flow(const struct frame* frame, const struct packet* packet) {
    if (packet->key.protocol != IPPROTO_UDP || !frame->payload) {
        return STEM_CONTINUE;
    }
    struct stem_flow* flow = bpf_map_lookup_elem(&flows, &packet->key);
    if (!flow) {
        return STEM_CONTINUE;
    }
    const __u64 now = now_ns();
    enum stem_reason fault =
        stream_is_blocked(flow->stream, now) ? STEM_SIP_STREAM_BLOCKED : check_media(frame, packet, flow);
    if (fault == STEM_CONTINUE) {
        fault = police(flow, packet->ip_length, now);
    }
    if (fault != STEM_CONTINUE) {
        flow->dropped_packets++;
        flow->dropped_bytes += packet->ip_length;
        return fault;
    }
    flow->last_seen_ns = now;
    flow->packets++;
    flow->bytes += packet->ip_length;
    return STEM_FLOW;
}

#endif
