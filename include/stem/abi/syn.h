/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the data plane keeps of TCP connection attempts from outside (docs/flood.md).
 */
#ifndef STEM_ABI_SYN_H
#define STEM_ABI_SYN_H

#include <stem/abi/address.h>

/* syn_sketch: token buckets ("full at", bpf/bucket.h) in rows and columns, a source being one column of each
 * row. It is over its budget only when it is in every row. */
enum stem_syn_sketch_kind {
    STEM_SYN_SKETCH_SOURCE = 0, /* unknown sources, by address */
    STEM_SYN_SKETCH_PREFIX = 1, /* unknown sources, by IPv4 /24 and IPv6 /64 */
    STEM_SYN_SKETCH_BLOCK = 2,  /* takes all that comes: what runs over it is blocked */
    STEM_SYN_SKETCH_KNOWN = 3,  /* known peers: what others do does not fill their buckets */
    STEM_SYN_SKETCHES = 4,
};

#define STEM_SYN_ROWS 2
#define STEM_SYN_COLUMNS 65536u

struct stem_syn_sketch {
    __u64 full_at_ns[STEM_SYN_ROWS][STEM_SYN_COLUMNS]; /* CLOCK_MONOTONIC */
};
STEM_ABI_ASSERT(sizeof(struct stem_syn_sketch) == 1048576);

/* syn_blocked: sources whose SYNs are dropped for a time. */
struct stem_syn_blocked_key {
    struct stem_addr source; /* of a /64: its last eight octets are 0 */
    __u32 prefix_length;     /* 128 for an address of either family, 64 for an IPv6 network */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_syn_blocked_key) == 24);

struct stem_syn_blocked {
    __u64 until_ns; /* CLOCK_MONOTONIC; kept beyond it for as long again, to know who comes back */
    __u64 since_ns; /* of the last block */
    __u64 packets;  /* SYNs dropped because of it */
    __u32 strikes;  /* times that it was blocked, of late */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_syn_blocked) == 32);

/* half_open: connections to SIP ports that were begun and not completed yet. */
struct stem_half_open_key {
    struct stem_addr client;
    struct stem_addr server;
    __u16 client_port; /* host byte order */
    __u16 server_port;
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_half_open_key) == 40);

struct stem_half_open {
    __u32 epoch;  /* when it was begun: the low 32 bits */
    __u32 answer; /* what the client must acknowledge, host byte order; 0 = the server has not answered */
};
STEM_ABI_ASSERT(sizeof(struct stem_half_open) == 8);

/* half_open_load: how many those are for each server and port, found by a hash of both: servers that share a
 * slot share its limit. Time goes in epochs of half of threshold syn_half_open_seconds; an attempt that is
 * not completed counts until the end of the epoch after its own. */
#define STEM_HALF_OPEN_SLOTS 4096u

struct stem_half_open_load {
    __u64 epoch;
    __s32 now;    /* attempts of this epoch, less those that were completed; below 0 after a race */
    __s32 before; /* of the epoch before */
};
STEM_ABI_ASSERT(sizeof(struct stem_half_open_load) == 16);

/* syn_counts, per CPU. X(NAME, number, label, help): labels are those of --json and the metrics. */
#define STEM_SYN_COUNTS(X)                                                                                   \
    X(SYN, 0, "syn", "SYNs from outside")                                                                    \
    X(SYN_ACK, 1, "syn_ack", "SYN-ACKs from inside")                                                         \
    X(CHALLENGE, 2, "challenges", "SYNs answered with a cookie")                                             \
    X(PROOF, 3, "proofs", "answers to a cookie that were right")                                             \
    X(BLOCK, 4, "blocks", "times that a source was blocked")                                                 \
    X(UNBLOCKED, 5, "not_blocked", "sources not blocked because the table was full: held to budget only")

enum stem_syn_count {
#define STEM_SYN_COUNT_ENUM(name, number, label, help) STEM_SYN_COUNT_##name = number,
    STEM_SYN_COUNTS(STEM_SYN_COUNT_ENUM)
#undef STEM_SYN_COUNT_ENUM
        STEM_SYN_COUNT_SLOTS = 8,
};

#endif
