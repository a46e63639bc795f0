/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Kept connections: what a rule with keep_state let through, and what its answers are held against.
 *
 * Map `states`, one entry a connection. Written and expired by the data plane alone; user space lists them,
 * and has the program `sweep` remove what is over (struct stem_sweep).
 */
#ifndef STEM_ABI_STATE_H
#define STEM_ABI_STATE_H

#include <stem/abi/address.h>

/* The ends by side, not by who spoke: packets of both directions make the same key. */
struct stem_state_key {
    struct stem_addr inside;
    struct stem_addr outside;
    __u16 inside_port; /* host byte order; of an ICMP echo: its identifier, on both sides; else 0 */
    __u16 outside_port;
    __u8 protocol;
    __u8 zero[3];
};
STEM_ABI_ASSERT(sizeof(struct stem_state_key) == 40);

/* The order is the life of a connection; what comes after never falls back, but CLOSED to a new SYN. */
enum stem_state_phase {
    STEM_STATE_SYN_SENT = 1, /* TCP: the first SYN */
    STEM_STATE_SYN_RECEIVED = 2,
    STEM_STATE_ESTABLISHED = 3,
    STEM_STATE_CLOSING = 4,  /* one side's FIN */
    STEM_STATE_CLOSED = 5,   /* both FINs, or a reset */
    STEM_STATE_ASKED = 6,    /* UDP and others: one side has spoken */
    STEM_STATE_ANSWERED = 7, /* and the other has answered */
    STEM_STATE_ECHO = 8,     /* ICMP echo */
};

/* TCP's sequence space as one end uses it, in its own numbers (RFC 9293 3.4). Only packets of this end write
 * `end`, `window` and `scale`; only packets of the other end write `limit` and `acked`. */
struct stem_state_end {
    __u32 end;        /* behind the highest octet that it sent */
    __u32 limit;      /* behind the highest octet that the other end lets it send */
    __u32 acked;      /* behind the highest octet that the other end acknowledged */
    __u32 window;     /* octets: the largest window that it has offered */
    __u8 scale;       /* shift of its windows (RFC 7323 2.2), once both ends have offered to scale */
    __u8 flags;       /* enum stem_state_end_flag */
    __u8 again_scale; /* of the SYN below: one more than its shift; 0 = it offered none */
    __u8 zero;
    __u32 again; /* behind a SYN that came while the connection was up, with STEM_END_AGAIN */
};
STEM_ABI_ASSERT(sizeof(struct stem_state_end) == 24);

enum stem_state_end_flag {
    STEM_END_SPOKE = 1 << 0,
    STEM_END_SCALES = 1 << 1, /* its SYN offered to scale */
    STEM_END_FIN = 1 << 2,
    STEM_END_AGAIN = 1 << 3, /* it has asked for a new connection on the same ports */
};

struct stem_state {
    __u64 last_seen_ns; /* CLOCK_MONOTONIC */
    __u64 created_ns;
    struct stem_state_end end[STEM_DIRECTIONS]; /* by the direction of what the end sends */
    __u64 packets[STEM_DIRECTIONS];
    __u64 bytes[STEM_DIRECTIONS]; /* IP length */
    struct stem_addr proxy;       /* steered: where the packets for the inside end go instead */
    __u16 proxy_port;             /* 0: not steered */
    __u8 proxy_mac[6];            /* bridge mode: the link address that it had */
    __u8 phase;                   /* enum stem_state_phase */
    __u8 origin;                  /* enum stem_direction of the first packet */
    __u8 zero[6];
};
STEM_ABI_ASSERT(sizeof(struct stem_state) == 128);

/* What one source has (map state_sources): an IPv4 address, or the /64 of an IPv6 one. */
struct stem_state_source {
    __u64 full_at_ns; /* bucket of new connections */
    __s64 states;     /* that it began, and that are still there */
};
STEM_ABI_ASSERT(sizeof(struct stem_state_source) == 16);

/* Map state_usage, one entry, in shared memory. */
struct stem_state_usage {
    __s64 states;   /* entries of `states`, the expired that nobody has swept yet included */
    __s64 steered;  /* entries of `steered` */
    __u64 swept_ns; /* CLOCK_MONOTONIC of the last sweep, by whomever */
    __u64 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_state_usage) == 32);

/* Map state_counters, per CPU. */
enum stem_state_counter {
    STEM_STATES_CREATED = 0,
    STEM_STATES_EXPIRED = 1,        /* by time, or flushed */
    STEM_STATES_REFUSED_FULL = 2,   /* no room */
    STEM_STATES_REFUSED_SOURCE = 3, /* its source begins too many, or has too many */
    STEM_STATES_REFUSED_FORM = 4,   /* TCP that begins without a SYN, or with impossible flags */
    STEM_STATES_REFUSED_WINDOW = 5, /* TCP outside its window */
    STEM_STATES_STEERED = 6,        /* clients whose SIP was first sent to the proxy */
    STEM_STATE_COUNTERS = 7,
};

/* Argument of the program `sweep` (BPF_PROG_RUN), which removes what has expired. */
struct stem_sweep {
    __u32 all;     /* 1: whatever its age */
    __u32 removed; /* out */
};
STEM_ABI_ASSERT(sizeof(struct stem_sweep) == 8);

#endif
