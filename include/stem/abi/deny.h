/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The deny list: source addresses (map deny) and networks (map deny_cidr) whose packets die first. Signalling
 * streams (stem/abi/signalling.h), sources of floods (the same, and stem/abi/syn.h) and media flows
 * (stem/abi/flow.h) that are denied have maps of their own.
 *
 * In front of both stands a bit filter (map deny_filter): a clear bit means "surely not denied", so that the
 * list costs a packet of an open call one load, however long it is. Bits are set before an entry is written
 * and cleared only by a rebuild under the instance's lock; a stale set bit costs a lookup, never a verdict.
 */
#ifndef STEM_ABI_DENY_H
#define STEM_ABI_DENY_H

#include <stem/abi/address.h>

struct stem_deny_key {
    struct stem_addr source;
};

struct stem_deny_cidr_key {
    __u32 prefix_length; /* bits; IPv4 counts from STEM_V4_PREFIX_BASE */
    __u8 source[16];     /* as in struct stem_addr */
};
STEM_ABI_ASSERT(sizeof(struct stem_deny_cidr_key) == 20);

/* Who denied it. X(NAME, number, label): labels are those of stemctl, --json and the metrics. */
#define STEM_DENY_ORIGINS(X)                                                                                 \
    X(OPERATOR, 1, "operator")                     /* stemctl deny add */                                    \
    X(SM, 2, "sm")                                 /* the Security Manager's instruction */                  \
    X(SYN_MONITOR, 3, "syn_monitor")               /* a flood of SYNs */                                     \
    X(SIGNALLING_MONITOR, 4, "signalling_monitor") /* a flood of INVITEs, or of other signalling */

enum stem_deny_origin {
#define STEM_DENY_ORIGIN_ENUM(name, number, label) STEM_DENY_##name = number,
    STEM_DENY_ORIGINS(STEM_DENY_ORIGIN_ENUM)
#undef STEM_DENY_ORIGIN_ENUM
};

/* The tables that hold what is denied; none of them is ever emptied by traffic. Denied media flows need none:
 * they are marked in their own entries. X(NAME, number, map, label, what) */
#define STEM_DENY_TABLES(X)                                                                                  \
    X(ADDRESSES, 0, deny, "addresses", "addresses")                                                          \
    X(NETWORKS, 1, deny_cidr, "networks", "networks")                                                        \
    X(STREAMS, 2, sip_blocked, "streams", "signalling streams")                                              \
    X(SYN_SOURCES, 3, syn_blocked, "syn_sources", "sources of SYN floods")                                   \
    X(SIGNALLING_SOURCES, 4, sip_blocked_sources, "signalling_sources", "sources of signalling floods")

enum stem_deny_table {
#define STEM_DENY_TABLE_ENUM(name, number, map, label, what) STEM_DENY_TABLE_##name = number,
    STEM_DENY_TABLES(STEM_DENY_TABLE_ENUM)
#undef STEM_DENY_TABLE_ENUM
        STEM_DENY_TABLE_SLOTS = 8,
};

/* What people and the Security Manager asked for and a full table refused (map deny_refused, one entry).
 * Written by stemctl and stemd. The data plane counts what it could not block in sip_counts and syn_counts.
 */
struct stem_deny_refused {
    __u64 by_table[STEM_DENY_TABLE_SLOTS]; /* enum stem_deny_table */
};
STEM_ABI_ASSERT(sizeof(struct stem_deny_refused) == 64);

#define STEM_FOR_EVER (~0ull)      /* an end that never comes, where 0 means that there is none in force */
#define STEM_DENY_NOTE_MAX 36      /* octets, with the NUL at the end */
#define STEM_DENY_FLOW_NOTE_MAX 24 /* of a media flow */

struct stem_deny {
    __u64 expires_ns; /* CLOCK_MONOTONIC; 0 = never */
    __u64 added_ns;
    __u64 packets;                 /* kernel; dropped by this entry */
    __u64 bytes;                   /* kernel */
    __u32 origin;                  /* enum stem_deny_origin */
    char note[STEM_DENY_NOTE_MAX]; /* why, for people; NUL-terminated */
};
STEM_ABI_ASSERT(sizeof(struct stem_deny) == 72);

#define STEM_DENY_FILTER_BITS 65536u
#define STEM_DENY_FILTER_WORDS (STEM_DENY_FILTER_BITS / 64)

struct stem_deny_filter {
    __u64 exact[STEM_DENY_FILTER_WORDS]; /* by stem_deny_filter_exact() */
    __u64 cidr[STEM_DENY_FILTER_WORDS];  /* by stem_deny_filter_cidr() */
};
STEM_ABI_ASSERT(sizeof(struct stem_deny_filter) == 16384);

/* Word n of an address, as loaded by this machine: only for hashing. */
static inline __u32 stem_addr_word(const struct stem_addr* address, int n) {
    __u32 word;
    __builtin_memcpy(&word, &address->octet[4 * n], sizeof(word));
    return word;
}

static inline __u32 stem_deny_filter_exact(const struct stem_addr* source) {
    __u32 mixed = stem_addr_word(source, 0) * 0x9e3779b1u ^ stem_addr_word(source, 1) * 0x85ebca6bu ^
                  stem_addr_word(source, 2) * 0xc2b2ae35u ^ stem_addr_word(source, 3) * 0x27d4eb2fu;
    return (mixed * 0x9e3779b1u) >> 16;
}

/* By the first 16 bits of an IPv4 address, and by the first 16 of an IPv6 one. The families share the bits:
 * a collision costs a lookup. A network shorter than /16 sets the bit of each /16 in it. */
static inline __u32 stem_deny_filter_cidr(const struct stem_addr* source) {
    int at = stem_addr_word(source, 0) == 0 && stem_addr_word(source, 1) == 0 ? 12 : 0;
    return ((__u32)source->octet[at] << 8) | source->octet[at + 1];
}

#endif
