/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A sampled report of one verdict, for people and statistics. Nothing is ever enforced from events: they may
 * be lost, and event_counters says how many were.
 */
#ifndef STEM_ABI_EVENT_H
#define STEM_ABI_EVENT_H

#include <stem/abi/address.h>

struct stem_event {
    __u64 time_ns; /* CLOCK_MONOTONIC (coarse) */
    struct stem_addr src;
    struct stem_addr dst;
    __u16 sport; /* host byte order; 0 where the protocol has none */
    __u16 dport;
    __u16 reason;    /* enum stem_reason */
    __u16 vlan;      /* outer VLAN id, 0 = untagged */
    __u32 length;    /* frame, octets */
    __u8 direction;  /* enum stem_direction */
    __u8 protocol;   /* IPPROTO_*, 0 = not IP */
    __u8 ip_version; /* 4, 6; 0 = not IP */
    __u8 monitored;  /* 1: it passed all the same, as its peer is only monitored */
    __u16 rule;      /* the static rule that decided or logs, from 1; 0 = none */
    __u16 zeros;
    __u32 generation; /* of the rules, where `rule` is not 0: the low 32 bits */
};
STEM_ABI_ASSERT(sizeof(struct stem_event) == 64);

enum stem_event_counter {
    STEM_EVENTS_SENT = 0,
    STEM_EVENTS_SUPPRESSED = 1, /* over the sampling budget */
    STEM_EVENTS_LOST = 2,       /* the ring was full */
    STEM_NOTICES_LOST = 3,      /* stemd did not hear of a stream's end or of a learned peer */
    STEM_EVENT_COUNTERS = 4,
};

#endif
