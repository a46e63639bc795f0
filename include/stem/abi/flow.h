/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A flow is one pinhole: one direction of one media stream, RTP or RTCP, that a call negotiated.
 *
 * Written by stemd, counted and policed by the data plane. User space replaces a whole value; only the
 * fields marked "kernel" change in between.
 */
#ifndef STEM_ABI_FLOW_H
#define STEM_ABI_FLOW_H

#include <stem/abi/address.h>

struct stem_flow_key {
    struct stem_addr src;
    struct stem_addr dst;
    __u16 sport;    /* host byte order, so that a dump reads well */
    __u16 dport;    /* host byte order */
    __u8 direction; /* enum stem_direction: a packet from the wrong side does not match */
    __u8 protocol;  /* IPPROTO_UDP */
    __u8 zero[2];
};
STEM_ABI_ASSERT(sizeof(struct stem_flow_key) == 40);

enum stem_flow_kind {
    STEM_FLOW_RTP = 1,
    STEM_FLOW_RTCP = 2,
};

enum stem_flow_flag {
    STEM_FLOW_RTCP_MUX = 1 << 0, /* RTCP may share the flow (RFC 5761) */
};

/*
 * The token buckets are kept as the time at which they are full again (the generic cell rate algorithm,
 * equivalent to a token bucket): one word each, and no fraction of a token is ever lost.
 *
 * The first 64 octets are what a packet within its rate touches.
 */
struct stem_flow {
    __u64 bytes_full_at_ns;   /* kernel; CLOCK_MONOTONIC */
    __u64 packets_full_at_ns; /* kernel */
    __u64 last_seen_ns;       /* kernel; 0 = no packet yet */
    __u64 packets;            /* kernel; passed */
    __u64 bytes;              /* kernel; passed, IP length */
    __u64 payload_types[2];   /* bit n: RTP payload type n is negotiated */
    __u32 ns_per_packet;      /* cost of a packet: 1e9 / packets per second */
    __u32 ns_per_kib;         /* cost of 1,024 bytes at IP level */

    __u64 bytes_burst_ns;   /* depth of the byte bucket, as time */
    __u64 packets_burst_ns; /* depth of the packet bucket, as time */
    __u16 min_payload;      /* UDP payload, octets */
    __u16 max_payload;
    __u8 kind;         /* enum stem_flow_kind */
    __u8 flags;        /* enum stem_flow_flag */
    __u16 media_index; /* which m= line, from 0 */
    __u64 dialog;      /* id of the dialog that opened it first */
    __u64 opened_ns;
    __u64 dropped_packets; /* kernel */
    __u64 dropped_bytes;   /* kernel; IP length */
};
STEM_ABI_ASSERT(sizeof(struct stem_flow) == 120);

#endif
