/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A flow is one pinhole: one direction of one media stream (RTP, RTCP, UDPTL) that a call negotiated, with
 * what may share its ports (STUN, DTLS).
 *
 * Written by stemd, counted and policed by the data plane. User space replaces a whole value; only the
 * fields marked "kernel" change in between.
 */
#ifndef STEM_ABI_FLOW_H
#define STEM_ABI_FLOW_H

#include <stem/abi/address.h>
#include <stem/abi/deny.h>

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
    STEM_FLOW_UDPTL = 3, /* fax (ITU-T T.38): no RTP at all */
};

enum stem_flow_flag {
    STEM_FLOW_RTCP_MUX = 1 << 0,  /* RTCP may share the flow (RFC 5761) */
    STEM_FLOW_SRTP = 1 << 1,      /* padding is encrypted, and cannot be checked */
    STEM_FLOW_STUN = 1 << 2,      /* connectivity checks may share it (RFC 8445), told by their first octet */
    STEM_FLOW_DTLS = 1 << 3,      /* DTLS, too (RFC 5764, 7983) */
    STEM_FLOW_CANDIDATE = 1 << 4, /* one pair of ICE candidates: checks only, until one was answered */
};

/* What became of a stream. Set by the data plane, cleared when the call negotiates anew. */
enum stem_flow_state {
    STEM_STREAM_LOWERED = 1 << 0, /* held to threshold rtp_lowered_kbps */
    STEM_STREAM_ENDED = 1 << 1,   /* everything is dropped; stemd closes the pinhole */
    STEM_STREAM_CHECKED = 1 << 2, /* its receiver has answered a check of its sender's */
};

/* What to do with a stream that goes on sending too much: threshold rtp_reaction, and stem_flow::reaction. */
enum stem_reaction {
    STEM_REACT_DEFAULT = 0, /* in a flow: as the threshold says. In the threshold: as STEM_REACT_DROP */
    STEM_REACT_DROP = 1,    /* only the excess goes */
    STEM_REACT_LOWER = 2,   /* the stream is held to a set rate from then on */
    STEM_REACT_END = 3,     /* the stream ends, and the Security Manager is told */
};

/*
 * Why packets of a flow were dropped: index of stem_flow::faults.
 * X(NAME, number, reason, label). Labels are those of --json and the metrics.
 */
#define STEM_FLOW_FAULTS(X)                                                                                  \
    X(BYTE_RATE, 0, FLOW_BYTE_RATE, "byte_rate")                                                             \
    X(PACKET_RATE, 1, FLOW_PACKET_RATE, "packet_rate")                                                       \
    X(VERSION, 2, RTP_VERSION, "version")                                                                    \
    X(PAYLOAD_TYPE, 3, RTP_PAYLOAD_TYPE, "payload_type")                                                     \
    X(SIZE, 4, RTP_SIZE, "size")                                                                             \
    X(RTCP_FORM, 5, RTCP_FORM, "rtcp_form")                                                                  \
    X(HEADER, 6, RTP_HEADER, "header")                                                                       \
    X(REPEATED, 7, RTP_REPEATED, "repeated")                                                                 \
    X(SEQUENCE, 8, RTP_SEQUENCE, "sequence")                                                                 \
    X(SOURCES, 9, RTP_SOURCES, "sources")                                                                    \
    X(TOTAL, 10, FLOW_TOTAL, "total")                                                                        \
    X(ENDED, 11, FLOW_ENDED, "ended")                                                                        \
    X(DENIED, 12, FLOW_DENIED, "denied")                                                                     \
    X(BESIDE_RATE, 13, MEDIA_BESIDE_RATE, "beside_rate")                                                     \
    X(UNCHECKED, 14, MEDIA_UNCHECKED, "unchecked")                                                           \
    X(FORM, 15, MEDIA_FORM, "form")

enum stem_flow_fault {
#define STEM_FLOW_FAULT_ENUM(name, number, reason, label) STEM_FAULT_##name = number,
    STEM_FLOW_FAULTS(STEM_FLOW_FAULT_ENUM)
#undef STEM_FLOW_FAULT_ENUM
        STEM_FLOW_FAULTS_MAX = 16,
};

/* One synchronisation source of a stream (RFC 3550 5.1). Sound has one; retransmission, error correction and
 * digits may have one each. */
struct stem_source {
    __u64 window;   /* bit n: the packet n before the highest was seen; 0: this slot is free */
    __u32 ssrc;     /* host byte order */
    __u32 sequence; /* extended highest (RFC 3550 A.1): cycles in the upper half */
};
STEM_ABI_ASSERT(sizeof(struct stem_source) == 16);

enum stem_jitter_state {
    STEM_JITTER_NONE = 0,    /* the next packet is the first of a series */
    STEM_JITTER_RUNNING = 1, /* `transit` is the last packet's */
};

#define STEM_SOURCES_MAX 4 /* of one flow at a time: the first is the one that sent last */
#define STEM_CLOCKS_MAX 3  /* clock rates of one flow's payload types */

/*
 * The token buckets are kept as the time at which they are full again (the generic cell rate algorithm,
 * equivalent to a token bucket): one word each, and no fraction of a token is ever lost.
 *
 * A packet in order and within its rate touches the first 160 octets. In the kernel's hash table a value lies
 * 96 octets behind the start of a cache line pair: so octets 32 to 159 are two whole lines, and 0 to 31 share
 * one with the key.
 */
struct stem_flow {
    __u64 bytes_full_at_ns;   /* kernel; CLOCK_MONOTONIC */
    __u64 packets_full_at_ns; /* kernel */
    __u64 last_seen_ns;       /* kernel; 0 = no packet yet */
    __u64 denied_until_ns;    /* everything is dropped until then; 0 = not denied, or STEM_FOR_EVER */

    __u64 packets;          /* kernel; passed */
    __u64 bytes;            /* kernel; passed, IP length */
    __u64 payload_types[2]; /* bit n: RTP payload type n is negotiated */
    __u32 ns_per_packet;    /* cost of a packet: 1e9 / packets per second */
    __u32 ns_per_kib;       /* cost of 1,024 bytes at IP level; kernel: raised when the stream is lowered */
    __u64 bytes_burst_ns;   /* depth of the byte bucket, as time */
    __u64 packets_burst_ns; /* depth of the packet bucket, as time */
    __u16 min_payload;      /* UDP payload, octets */
    __u16 max_payload;
    __u8 kind;     /* enum stem_flow_kind */
    __u8 flags;    /* enum stem_flow_flag */
    __u8 state;    /* kernel; enum stem_flow_state */
    __u8 reaction; /* enum stem_reaction */

    __u64 stream;       /* hash of the signalling stream that opened it; 0 = not known */
    __u32 transit;      /* kernel; arrival less timestamp of the last packet (RFC 3550 A.8) */
    __u32 jitter_16;    /* kernel; in sixteenths of a timestamp unit */
    __u16 bad_sequence; /* kernel; what would confirm a jump (RFC 3550 A.1) */
    __u8 repeats;       /* kernel; repeated packets beyond what new ones made up for */
    __u8 jitter_state;  /* kernel; enum stem_jitter_state */
    __u8 jitter_clock;  /* kernel; index of the clock that `transit` and `jitter_16` count in */
    __u8 jitter_type;   /* kernel; payload type that has this clock, while jitter_state is RUNNING */
    __u8 restarting;    /* kernel; 1: bad_sequence holds */
    __u8 zero;
    __u32 clock_hz[STEM_CLOCKS_MAX];
    __u32 max_jitter_us;                         /* kernel */
    __u64 restarts_full_at_ns;                   /* kernel; bucket of new sources and sequence jumps */
    struct stem_source source[STEM_SOURCES_MAX]; /* kernel */

    __u8 clock_of[32]; /* two bits a payload type, lowest first: index of clock_hz; 3 = not measured */
    __u64 dialog;      /* id of the dialog that opened it first */
    __u64 opened_ns;
    __u32 offered_ns_per_kib;           /* ns_per_kib as negotiated */
    __u16 media_index;                  /* which m= line, from 0 */
    __u8 excess_seconds;                /* kernel; whole seconds of excess, one after the other */
    __u8 denied_by;                     /* enum stem_deny_origin; 0 = was never denied */
    __u64 excess_began_ns;              /* kernel; start of the second that is counted */
    __u32 excess_packets;               /* kernel; in that second */
    __u32 new_sources;                  /* kernel; SSRC changes that were let through */
    __u32 lost;                         /* kernel; expected less received, of packets that passed */
    __u32 reordered;                    /* kernel; came late, and passed */
    __u32 repeated;                     /* kernel; came again, and passed */
    __u32 jumps;                        /* kernel; sequence jumps that were let through */
    __u64 dropped_packets;              /* kernel */
    __u64 dropped_bytes;                /* kernel; IP length */
    __u32 faults[STEM_FLOW_FAULTS_MAX]; /* kernel; dropped_packets by cause (enum stem_flow_fault); wraps */
    __u64 beside_full_at_ns;            /* kernel; bucket of STUN and DTLS */
    __u64 check;                        /* kernel; end of the last STUN request's transaction id */
    char denied_note[STEM_DENY_FLOW_NOTE_MAX]; /* why, for people; NUL-terminated */
};
STEM_ABI_ASSERT(__builtin_offsetof(struct stem_flow, packets) == 32);
STEM_ABI_ASSERT(__builtin_offsetof(struct stem_flow, source) == 144);
STEM_ABI_ASSERT(sizeof(struct stem_flow) == 416);

/* Context of program deny_flow, which changes an entry of flows in place: stemd and the data plane write into
 * it at the same time. */
struct stem_deny_flow {
    struct stem_flow_key key;
    __u64 until_ns; /* as stem_flow::denied_until_ns; 0 = denied no more */
    __u32 origin;   /* enum stem_deny_origin */
    __u32 found;    /* answer: 1 = the flow is open, and has it now */
    char note[STEM_DENY_FLOW_NOTE_MAX];
};
STEM_ABI_ASSERT(sizeof(struct stem_deny_flow) == 80);

/* All media of one direction (map media_total), against threshold rtp_total_kbps. */
struct stem_total {
    __u64 full_at_ns; /* kernel; CLOCK_MONOTONIC */
    __u64 zero[7];    /* a cache line of its own */
};
STEM_ABI_ASSERT(sizeof(struct stem_total) == 64);

#endif
