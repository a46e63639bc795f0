/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the data plane counts of signalling, before it gives any of it to stemd: by method, by source and by
 * stream (docs/flood.md).
 */
#ifndef STEM_ABI_SIGNALLING_H
#define STEM_ABI_SIGNALLING_H

#include <stem/abi/address.h>
#include <stem/abi/deny.h>

/* What a message is, told by its first octets. Each kind has a budget of its own. */
enum stem_sip_kind {
    STEM_SIP_KIND_INVITE = 0,
    STEM_SIP_KIND_REGISTER = 1,
    STEM_SIP_KIND_OPTIONS = 2,
    STEM_SIP_KIND_REQUEST = 3,   /* any other method */
    STEM_SIP_KIND_RESPONSE = 4,  /* "SIP/2.0 ..." */
    STEM_SIP_KIND_NOISE = 5,     /* none of these */
    STEM_SIP_KIND_SEGMENT = 6,   /* of TCP: begins none of the named; only stemd can tell */
    STEM_SIP_KIND_KEEPALIVE = 7, /* CRLF or STUN: no message, and not stemd's; a lane of its own */
    STEM_SIP_KINDS = 8,          /* a power of two */
};

enum stem_sip_lane {
    STEM_LANE_UNKNOWN = 0,
    STEM_LANE_KNOWN = 1,
    STEM_LANES = 2,
};

/* sip_counts, per CPU, by stem_sip_count_index(). */
struct stem_sip_count {
    __u64 steered[STEM_LANES]; /* given to stemd, by lane */
    __u64 over_lane;           /* from nobody we know, and more than all of those may send */
    __u64 limited;             /* over a budget of its source or stream, or blocked */
    __u64 stream_blocks;       /* times that a stream was blocked by a message of this kind */
    __u64 source_blocks;       /* ... that a source was */
    __u64 streams_not_blocked; /* the table was full: the stream is held to its budget only */
    __u64 sources_not_kept;    /* the table was full: the block lasts as long as the budget's entry does */
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_count) == 64);

static inline __u32 stem_sip_count_index(enum stem_sip_kind kind, enum stem_direction direction) {
    return (__u32)kind * STEM_DIRECTIONS + (__u32)direction;
}
#define STEM_SIP_COUNT_SLOTS ((__u32)STEM_SIP_KINDS * (__u32)STEM_DIRECTIONS)

/* sip_sources: a source address, or the /64 of an IPv6 one. */
struct stem_sip_source_key {
    struct stem_addr source; /* of a /64: its last eight octets are 0 */
    __u32 prefix_length;     /* 128, or 64 */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_source_key) == 24);

/* Buckets are "full at" (bpf/bucket.h), CLOCK_MONOTONIC. */
struct stem_sip_source {
    __u64 full_at_ns[STEM_SIP_KINDS];
    __u64 bytes_full_at_ns;
    __u64 block_full_at_ns; /* takes all that comes, at a multiple of the budget; blocked when it runs over */
    __u64 blocked_until_ns;
    __u32 strikes; /* times that it was blocked, of late */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_source) == 96);

/* sip_blocked_sources, by struct stem_sip_source_key: what of a blocked source must outlive its entry in
 * sip_sources, which whoever sends from many addresses can push out. */
struct stem_sip_blocked_source {
    __u64 until_ns; /* CLOCK_MONOTONIC */
    __u64 since_ns; /* of the last block */
    __u64 packets;  /* kernel; dropped because of it */
    __u32 strikes;  /* times that it was blocked, of late */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_blocked_source) == 32);

/* sip_streams, by stem_stream_id(). */
struct stem_sip_stream {
    __u64 full_at_ns;
    __u64 block_full_at_ns;
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_stream) == 16);

/* sip_lane: what all unknown sources together may send; one entry, shared by the CPUs. */
struct stem_sip_lane_budget {
    __u64 full_at_ns[STEM_SIP_KINDS];
    __u64 bytes_full_at_ns;
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_lane_budget) == 72);

/*
 * A signalling stream's name: a hash of its 5-tuple. Each open flow carries that of the stream by which its
 * sender signals (struct stem_flow), so that media stop with their signalling. `seed` is the instance's
 * (map stream_seed): who does not know it cannot choose a 5-tuple that has another's name. Never 0.
 */
static inline __u64 stem_stream_mix(__u64 state, __u64 word) {
    state ^= word;
    state *= 0x9e3779b97f4a7c15ull;
    return state ^ (state >> 29);
}

static inline __u64 stem_addr_half(const struct stem_addr* address, int n) {
    __u64 half;
    __builtin_memcpy(&half, &address->octet[8 * n], sizeof(half));
    return half;
}

static inline __u64 stem_stream_id(__u64 seed, const struct stem_addr* src, __u16 sport,
                                   const struct stem_addr* dst, __u16 dport, __u8 protocol) {
    __u64 id = seed ^ 0x8f3a5c1d7be94621ull;
    id = stem_stream_mix(id, stem_addr_half(src, 0));
    id = stem_stream_mix(id, stem_addr_half(src, 1) ^ seed);
    id = stem_stream_mix(id, stem_addr_half(dst, 0));
    id = stem_stream_mix(id, stem_addr_half(dst, 1) ^ seed);
    id = stem_stream_mix(id, (__u64)sport << 32 | (__u64)dport << 16 | protocol);
    return id ? id : 1;
}

/* sip_blocked, by stem_stream_id(): streams whose signalling and media are dropped. Written by the data plane
 * when they flood, and by stemctl. */
struct stem_sip_blocked {
    __u64 until_ns; /* CLOCK_MONOTONIC; STEM_FOR_EVER */
    __u64 since_ns; /* of the last block */
    __u64 packets;  /* kernel; dropped, media too */
    __u32 strikes;  /* times that it was blocked, of late */
    __u16 sport;    /* host byte order */
    __u16 dport;
    struct stem_addr src;
    struct stem_addr dst;
    __u8 protocol;
    __u8 origin; /* enum stem_deny_origin */
    __u8 zero[2];
    char note[STEM_DENY_NOTE_MAX]; /* why, for people; NUL-terminated */
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_blocked) == 104);

/* sip_blocked_filter: a clear bit means "surely not blocked", so that a packet of a call costs one load. Set
 * here, cleared by stemd. */
#define STEM_SIP_FILTER_BITS 8192u
struct stem_sip_filter {
    __u64 word[STEM_SIP_FILTER_BITS / 64];
};
STEM_ABI_ASSERT(sizeof(struct stem_sip_filter) == 1024);

#endif
