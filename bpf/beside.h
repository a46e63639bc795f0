/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a pinhole carries that is no RTP: STUN and DTLS beside it, told by the first octet (RFC 7983 7), and
 * UDPTL in the place of it (ITU-T T.38).
 *
 * STUN opens a pair of ICE candidates (RFC 8445): media pass towards whoever has answered a check, so nobody
 * gets a stream that he did not ask for (RFC 8445 19.5.1). STUN and DTLS have a budget of their own,
 * threshold rtp_beside, and spend nothing of the codec's.
 *
 * Reads and writes flows. Functions of their own: media's fast path only pays a test of the version.
 */
#ifndef STEM_BPF_BESIDE_H
#define STEM_BPF_BESIDE_H

#include "bucket.h"
#include "clock.h"
#include "maps.h"
#include "octets.h"
#include "packet.h"
#include "rtp.h"
#include "threshold.h"

#define STUN_HEADER 20
#define STUN_CLASS_BITS 0x0110 /* request, indication, success, error (RFC 8489 5) */
#define STUN_BINDING 0x0001
#define STUN_SUCCESS 0x0100
#define STUN_MAGIC_COOKIE 0x2112A442u /* RFC 8489 5 */
#define STUN_CHECK_MAX 600            /* octets of payload: RFC 8489 6.1 keeps them below any path's MTU */
#define FIRST_OCTET_STUN 3            /* RFC 7983: the last of each range */
#define FIRST_OCTET_DTLS 20
#define LAST_OCTET_DTLS 63
#define DTLS_LAST_PLAIN 31 /* above: the short header of DTLS 1.3 (RFC 9147 4) */
#define DTLS_HEADER 13
#define DTLS_MAJOR 0xfe
#define UDPTL_LEAST 4 /* sequence number, length of the primary packet, what repairs others */

struct stun_start {
    __be16 type;
    __be16 length;
    __be32 cookie;
};

struct stun_header {
    struct stun_start start;
    __u8 transaction[12];
};

struct dtls_header {
    __u8 type;
    __u8 version[2];
    __u8 epoch_and_sequence[8];
    __u8 length[2];
};

struct udptl_start {
    __u8 sequence[2];
    __u8 primary_length;
};

static __always_inline int is_stun_start(const struct stun_start* stun, __u32 payload) {
    const __u32 length = from_be16(stun->length);
    return (from_be16(stun->type) & (__u16)~STUN_CLASS_BITS) == STUN_BINDING &&
           stun->cookie == (__be32)__builtin_bswap32(STUN_MAGIC_COOKIE) && length % 4 == 0 &&
           length + STUN_HEADER == payload;
}

/* The receiver of `flow` has answered: what its sender sends next was asked for. */
static __always_inline void note_checked(const struct packet* packet, __u64 transaction) {
    const struct stem_flow_key asked = {
        .src = packet->key.dst,
        .dst = packet->key.src,
        .sport = packet->key.dport,
        .dport = packet->key.sport,
        .direction = packet->key.direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND,
        .protocol = IPPROTO_UDP,
    };
    struct stem_flow* flow = bpf_map_lookup_elem(&flows, &asked);
    if (flow && flow->check == transaction && !(flow->state & STEM_STREAM_CHECKED)) {
        flow->state |= STEM_STREAM_CHECKED;
    }
}

static __always_inline int judge_stun(struct xdp_md* context, const struct packet* packet,
                                      struct stem_flow* flow) {
    const struct stun_header* stun = octets_at(context, packet->payload_offset, sizeof(*stun));
    if (!stun || packet->payload_length > STUN_CHECK_MAX ||
        !is_stun_start(&stun->start, packet->payload_length)) {
        return STEM_MEDIA_FORM;
    }
    __u64 transaction;
    __builtin_memcpy(&transaction, &stun->transaction[4], sizeof(transaction));
    const __u16 kind = from_be16(stun->start.type) & STUN_CLASS_BITS;
    if (kind == 0) {
        flow->check = transaction;
    } else if (kind == STUN_SUCCESS && transaction) {
        note_checked(packet, transaction);
    }
    return STEM_CONTINUE;
}

static __always_inline int judge_dtls(struct xdp_md* context, const struct packet* packet,
                                      const struct stem_flow* flow) {
    const struct dtls_header* dtls = octets_at(context, packet->payload_offset, sizeof(*dtls));
    if ((flow->flags & STEM_FLOW_CANDIDATE) && !(flow->state & STEM_STREAM_CHECKED)) {
        return STEM_MEDIA_UNCHECKED; /* from a validated pair only, or a stranger could begin the handshake */
    }
    if (!dtls || packet->payload_length < DTLS_HEADER) {
        return STEM_MEDIA_FORM;
    }
    if (dtls->type > DTLS_LAST_PLAIN) {
        return STEM_CONTINUE;
    }
    const __u32 length = (__u32)dtls->length[0] << 8 | dtls->length[1];
    return dtls->version[0] == DTLS_MAJOR && DTLS_HEADER + length <= packet->payload_length ? STEM_CONTINUE
                                                                                            : STEM_MEDIA_FORM;
}

/* What is in a pinhole for RTP and is no RTP. Gives an enum stem_reason; STEM_CONTINUE: it may pass. */
__noinline int judge_beside(struct xdp_md* context, const struct packet* packet, struct stem_flow* flow,
                            __u64 now) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!packet || !flow || !limits) {
        return STEM_INTERNAL;
    }
    const __u8* first = octets_at(context, packet->payload_offset, 1);
    if (!first) {
        return STEM_MEDIA_FORM;
    }
    const __u8 octet = *first;
    int fault = STEM_RTP_VERSION;
    if (octet <= FIRST_OCTET_STUN && (flow->flags & STEM_FLOW_STUN)) {
        fault = judge_stun(context, packet, flow);
    } else if (octet >= FIRST_OCTET_DTLS && octet <= LAST_OCTET_DTLS && (flow->flags & STEM_FLOW_DTLS)) {
        fault = judge_dtls(context, packet, flow);
    }
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    const __u64 cost = NS_PER_SECOND / (limits->rtp_beside ? limits->rtp_beside : 1);
    const __u64 next = bucket_take(flow->beside_full_at_ns, now, cost, NS_PER_SECOND);
    if (!next) {
        return STEM_MEDIA_BESIDE_RATE;
    }
    flow->beside_full_at_ns = next;
    return STEM_CONTINUE;
}

/* T.38 9.1: a sequence number, the primary packet with its length, and what repairs the ones before. */
static __always_inline int check_udptl(const struct udptl_start* start, __u32 length) {
    if (!start || length < UDPTL_LEAST) {
        return STEM_MEDIA_FORM;
    }
    /* A length of 128 and more has two octets (X.691 10.9.3.6), of which the first begins with 10. */
    const __u32 primary = start->primary_length;
    return primary >= 0xc0 || (primary < 0x80 && sizeof(*start) + primary > length) ? STEM_MEDIA_FORM
                                                                                    : STEM_CONTINUE;
}

__noinline int judge_udptl(struct xdp_md* context, const struct packet* packet,
                           const struct stem_flow* flow) {
    if (!packet || !flow) {
        return STEM_INTERNAL;
    }
    const __u32 length = packet->payload_length;
    const int fault =
        check_udptl(octets_at(context, packet->payload_offset, sizeof(struct udptl_start)), length);
    return fault == STEM_CONTINUE && length > flow->max_payload ? STEM_RTP_SIZE : fault;
}

#endif
