/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Media of a peer behind NAT: where its packets come from is not what its session description says, and is
 * learned within a window (map learning).
 *
 * Nothing passes while it is not known, in either direction. stemd writes an entry for the inside end of each
 * stream; the data plane decides, opens both pinholes, and tells stemd with a notice.
 */
#ifndef STEM_ABI_LEARNING_H
#define STEM_ABI_LEARNING_H

#include <stem/abi/flow.h>

/* The end that is known: where the packets go. */
struct stem_learning_key {
    struct stem_addr local;
    __u16 port;     /* host byte order */
    __u8 direction; /* enum stem_direction of the packets that are learned from */
    __u8 zero[5];
};
STEM_ABI_ASSERT(sizeof(struct stem_learning_key) == 24);

enum stem_learning_way {
    STEM_LEARNING_IN = 1 << 0,  /* the pinhole towards `local`, described by `in` */
    STEM_LEARNING_OUT = 1 << 1, /* the pinhole back, described by `out` */
};

struct stem_learning {
    __u64 until_ns;             /* the window closes; CLOCK_MONOTONIC */
    __u64 locked_ns;            /* kernel; 0 = not yet */
    struct stem_addr signalled; /* what the session description says: a packet from there locks at once */
    struct stem_addr from;      /* else: the address that candidates may have ... */
    struct stem_addr from_mask; /* ... where this has bits */
    struct stem_addr candidate; /* kernel; and once locked, the peer */
    __u16 signalled_port;       /* host byte order */
    __u16 candidate_port;       /* kernel */
    __u16 candidate_sequence;   /* kernel; of its last packet */
    __u16 candidate_packets;    /* kernel; consistent ones, one after the other */
    __u32 candidate_ssrc;       /* kernel */
    __u16 beside_port;          /* of RTCP: the RTP port whose lock comes first; 0 = none */
    __u8 opens;                 /* enum stem_learning_way */
    __u8 zero;
    __u64 refused; /* kernel; packets that were not from where they may be */
    __u64 dialog;
    struct stem_flow in; /* also what a packet must be like to be learned from */
    struct stem_flow out;
};
STEM_ABI_ASSERT(sizeof(struct stem_learning) == 112 + 2 * 416);

/* What stemd must hear of (map notices). A full ring loses it, and event_counters says so. */
enum stem_notice_kind {
    STEM_NOTICE_LOWERED = 1,
    STEM_NOTICE_ENDED = 2,
    STEM_NOTICE_LEARNED = 3,
};

struct stem_notice {
    __u64 time_ns; /* CLOCK_MONOTONIC (coarse) */
    __u64 dialog;
    struct stem_flow_key key; /* of the flow; of LEARNED: the peer's packets */
    __u32 kind;               /* enum stem_notice_kind */
    __u32 reason;             /* enum stem_reason: what it did last */
};
STEM_ABI_ASSERT(sizeof(struct stem_notice) == 64);

#endif
