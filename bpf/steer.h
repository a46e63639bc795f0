/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * SIP to stemd, UDP and both directions of TCP. UDP on a SIP port is told apart by its first octets:
 * keep-alives are forwarded here, on a budget of their own; the rest is stemd's, if stemd is there.
 *
 * A keep-alive is no way in: from outside it comes to a SIP port, or from a peer that is known or was asked;
 * and what unknown sources send, which may be forged, has a lane.
 *
 * Reads sip_ports and xsks, writes keepalive, sip_asked and sip_lane. The SIP proxy's part is in proxy.h. Two
 * hash lookups for a packet that is no flow's.
 */
#ifndef STEM_BPF_STEER_H
#define STEM_BPF_STEER_H

#include "beside.h"
#include "bucket.h"
#include "clock.h"
#include "maps.h"
#include "octets.h"
#include "packet.h"
#include "signalling.h"
#include "threshold.h"

#define STUN_KEEPALIVE_MAX                                                                                   \
    128                     /* octets of payload: a Binding with room for attributes, no carrier for others */
#define STUN_ANSWERS 0x0100 /* success and error (RFC 8489 5) */

#define PORT_OF_SIP                                                                                          \
    1 /* value of sip_ports; others are of other protocol parsers (ctl/parser), on UDP alone */

static __always_inline int is_sip_port(__u16 port) {
    const __u8* parser = bpf_map_lookup_elem(&sip_ports, &port);
    return parser && *parser == PORT_OF_SIP;
}

/* Whose datagram is it, by the ports that it goes to and comes from? 0: nobody's. SIP's go first: its clients
 * may send from any port, another protocol's too. */
static __always_inline __u8 parser_of(const struct packet* packet) {
    const __u16 to = packet->key.dport;
    const __u16 from = packet->key.sport;
    const __u8* by_to = bpf_map_lookup_elem(&sip_ports, &to);
    if (by_to && *by_to == PORT_OF_SIP) {
        return PORT_OF_SIP;
    }
    const __u8* by_from = bpf_map_lookup_elem(&sip_ports, &from);
    if (by_from && *by_from == PORT_OF_SIP) {
        return PORT_OF_SIP;
    }
    return by_to ? *by_to : by_from ? *by_from : 0;
}

/* RFC 5626 3.5.1 has CRLF CRLF and CRLF; phones also send up to four zero octets, or nothing. */
static __always_inline int is_crlf_keepalive(const struct xdp_md* context, const struct packet* packet) {
    const __u16 length = packet->payload_length;
    if (length > 4) {
        return 0;
    }
    for (__u32 i = 0; i < 4; i++) {
        if (i >= length) {
            break;
        }
        const __u8* octet = octets_at(context, packet->payload_offset + i, 1);
        if (!octet || (*octet != '\r' && *octet != '\n' && *octet != '\0')) {
            return 0;
        }
    }
    return 1;
}

static __always_inline int is_stun(const struct xdp_md* context, const struct packet* packet) {
    const struct stun_start* stun = octets_at(context, packet->payload_offset, sizeof(*stun));
    if (!stun || packet->payload_length < STUN_HEADER || packet->payload_length > STUN_KEEPALIVE_MAX) {
        return 0;
    }
    return is_stun_start(stun, packet->payload_length);
}

static __always_inline int keepalive_within_rate(const struct packet* packet,
                                                 const struct stem_thresholds* limits, __u32 phones,
                                                 __u64 now) {
    const __u32 rate = limits->keepalive_rate > phones ? limits->keepalive_rate : phones;
    const __u64 cost = NS_PER_SECOND / (rate ? rate : 1);
    const struct stem_addr source = packet->key.src; /* on the stack, as Linux 6.1 wants its keys */
    __u64* full_at = bpf_map_lookup_elem(&keepalive, &source);
    if (!full_at) {
        const __u64 first = now + cost;
        bpf_map_update_elem(&keepalive, &source, &first, BPF_ANY);
        return 1;
    }
    const __u64 next = bucket_take(*full_at, now, cost, NS_PER_SECOND);
    if (!next) {
        return 0;
    }
    *full_at = next;
    return 1;
}

/* 1: asks for something. A CRLF alone, and STUN of an answering class, answer; who is outside could have had
 * them sent. */
static __always_inline int keepalive_asks(const struct xdp_md* context, const struct packet* packet,
                                          enum stem_reason kind) {
    if (kind == STEM_KEEPALIVE_CRLF) {
        return packet->payload_length != 2;
    }
    const struct stun_start* stun = octets_at(context, packet->payload_offset, sizeof(*stun));
    return stun && !(from_be16(stun->type) & STUN_ANSWERS);
}

/* May this one pass? `kind`, why not, or STEM_CONTINUE: UDP like any other. A function of its own, for the
 * verifier's sake. */
__noinline int judge_keepalive(struct xdp_md* context, const struct packet* packet, enum stem_reason kind) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!packet || !limits) {
        return STEM_INTERNAL;
    }
    const __u64 now = now_ns();
    if (packet->key.direction == STEM_OUTBOUND) {
        if (!keepalive_within_rate(packet, limits, 1, now)) {
            return STEM_KEEPALIVE_RATE;
        }
        if (keepalive_asks(context, packet, kind)) {
            note_asked(packet, now);
        }
        return kind;
    }
    const struct stem_peer* peer = known_peer(&packet->key.src);
    const __u32 phones = peer ? peer->phones : 1;
    const int known = peer || was_asked(&packet->key.src, now);
    if (!known && !is_sip_port(packet->key.dport)) {
        return STEM_CONTINUE; /* from SIP's port to another's, which has not asked for it */
    }
    if (!keepalive_within_rate(packet, limits, phones, now)) {
        return STEM_KEEPALIVE_RATE;
    }
    return known || lane_lets_keepalive_in(limits, now) ? (int)kind : STEM_SIP_UNKNOWN_LANE;
}

static __always_inline __u32 xsk_index(const struct xdp_md* context, const struct packet* packet) {
    return (__u32)packet->key.direction * STEM_QUEUES_MAX + context->rx_queue_index % STEM_QUEUES_MAX;
}

/* To stemd; or, when nobody listens on this queue, the configured fallback. */
static __always_inline enum stem_reason steer_or_fall_back(const struct xdp_md* context,
                                                           struct packet* packet, enum stem_reason reason) {
    const __u32 index = xsk_index(context, packet);
    const int away = bpf_map_lookup_elem(&xsks, &index) == NULL;
    if (away && !stem_fallback_open) {
        return STEM_CONTROLLER_AWAY;
    }
    if (packet->fragment && packet->fragment_start != 0) { /* its first one shows whether it is the proxy's */
        return away ? STEM_FALLBACK_OPEN : reason;
    }
    if (!away) {
        packet->after = AFTER_SIP_STEERED;
        return reason;
    }
    packet->after = packet->key.protocol == IPPROTO_TCP ? AFTER_SIP_CONNECTION : AFTER_SIP_PASSES;
    return STEM_FALLBACK_OPEN;
}

/* What goes to stemd keeps to its budgets first. */
static __always_inline enum stem_reason steer_within_budget(struct xdp_md* context, struct packet* packet,
                                                            enum stem_reason reason) {
    const enum stem_reason fault = (enum stem_reason)judge_signalling(context, packet);
    return fault == STEM_CONTINUE ? steer_or_fall_back(context, packet, reason) : fault;
}

static __always_inline int is_sip_datagram(const struct packet* packet) {
    return packet->key.protocol == IPPROTO_UDP &&
           (is_sip_port(packet->key.dport) || is_sip_port(packet->key.sport));
}

/* A first fragment shows what the datagram is; stemd puts the rest to it (fragment.h). */
static __always_inline enum stem_reason steer_first_fragment(struct xdp_md* context, struct packet* packet) {
    packet->payload_offset = packet->l4_offset + (__u16)sizeof(struct udphdr);
    packet->payload_length = packet->fragment_size;
    const enum stem_reason reason = steer_within_budget(context, packet, STEM_STEER_SIP);
    packet->payload_offset = 0; /* of a datagram that is whole */
    packet->payload_length = 0;
    return reason;
}

static __always_inline enum stem_reason judge_steering(struct xdp_md* context, struct packet* packet) {
    if (packet->fragment && packet->fragment_start == 0 && packet->l4_offset && is_sip_datagram(packet)) {
        return steer_first_fragment(context, packet);
    }
    const int tcp = packet->key.protocol == IPPROTO_TCP;
    if ((!tcp && packet->key.protocol != IPPROTO_UDP) ||
        !(tcp ? packet->l4_offset : packet->payload_offset)) {
        return STEM_CONTINUE;
    }
    if (!tcp) {
        const __u8 parser = parser_of(packet);
        if (parser > PORT_OF_SIP) {
            const enum stem_reason reason = steer_within_budget(context, packet, STEM_STEER_SIP);
            packet->after = AFTER_NOTHING; /* a SIP proxy has no part in it */
            return reason;
        }
    }
    /* A client's port says nothing: who begins a connection from a SIP port to another does not talk SIP. */
    if (!is_sip_port(packet->key.dport) && (begins_connection(packet) || !is_sip_port(packet->key.sport))) {
        return STEM_CONTINUE;
    }
    if (tcp) { /* its keep-alives are a part of the stream; a fragment would be one beside it */
        return packet->fragment ? STEM_FRAGMENT : steer_within_budget(context, packet, STEM_STEER_SIP);
    }
    const enum stem_reason keepalive_kind = is_crlf_keepalive(context, packet) ? STEM_KEEPALIVE_CRLF
                                            : is_stun(context, packet)         ? STEM_KEEPALIVE_STUN
                                                                               : STEM_CONTINUE;
    if (keepalive_kind != STEM_CONTINUE) {
        const enum stem_reason verdict = (enum stem_reason)judge_keepalive(context, packet, keepalive_kind);
        packet->after = verdict == keepalive_kind ? AFTER_SIP_PASSES : AFTER_NOTHING;
        return verdict;
    }
    return steer_within_budget(context, packet, STEM_STEER_SIP);
}

#endif
