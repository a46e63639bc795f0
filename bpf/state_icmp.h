/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ICMP errors about a kept connection: let through to the end whose packet they quote, if the quotation is of
 * that connection (RFC 5927 4.1 for TCP's sequence). They change nothing in its state.
 *
 * Reads states. One lookup for an ICMP error.
 */
#ifndef STEM_BPF_STATE_ICMP_H
#define STEM_BPF_STATE_ICMP_H

#include "octets.h"
#include "packet.h"
#include "parse.h"
#include "state.h"
#include "state_tcp.h"

#define ICMP_HEADER 8
#define QUOTED_OCTETS 8 /* of the transport, at least (RFC 792) */

struct quoted_start {
    __be16 source;      /* an ICMP echo has type and code here, */
    __be16 destination; /* its checksum here, */
    __be32 sequence;    /* and its identifier here, first */
};

static __always_inline int is_icmp_error(const struct packet* packet) {
    const __u8 type = packet->icmp_type;
    if (packet->key.protocol == IPPROTO_ICMP) {
        return type == 3 || type == 11 || type == 12;
    }
    return packet->key.protocol == IPPROTO_ICMPV6 && type >= 1 && type <= 4;
}

/* Where the quoted packet's transport begins, its protocol and addresses; 0: not to be read. */
static __always_inline __u32 read_quoted(const struct xdp_md* context, const struct packet* packet,
                                         struct stem_addr* source, struct stem_addr* destination,
                                         __u8* protocol) {
    const __u32 at = (__u32)packet->l4_offset + ICMP_HEADER;
    if (packet->ip_version == 4) {
        const struct iphdr* ip = octets_at(context, at, sizeof(*ip));
        if (!ip || ip->version != 4 || ip->ihl < 5 || (ip->frag_off & STEM_BE16(0x1fff)) != 0) {
            return 0;
        }
        map_v4(source, ip->saddr);
        map_v4(destination, ip->daddr);
        *protocol = ip->protocol;
        return at + (__u32)ip->ihl * 4;
    }
    const struct ipv6hdr* ip = octets_at(context, at, sizeof(*ip));
    if (!ip || ip->version != 6) {
        return 0;
    }
    __builtin_memcpy(source->octet, &ip->saddr, 16);
    __builtin_memcpy(destination->octet, &ip->daddr, 16);
    *protocol = ip->nexthdr; /* quoted extension headers: not followed */
    return at + (__u32)sizeof(*ip);
}

/* STEM_STATE_RELATED, or STEM_CONTINUE. */
__noinline int judge_icmp_error(struct xdp_md* context, struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    struct stem_addr source;
    struct stem_addr destination;
    __u8 protocol = 0;
    const __u32 at = read_quoted(context, packet, &source, &destination, &protocol);
    const struct quoted_start* start = octets_at(context, at, sizeof(*start));
    if (!at || !start || at + QUOTED_OCTETS > (__u32)packet->l3_offset + packet->ip_length ||
        !same_address(&source, &packet->key.dst)) {
        return STEM_CONTINUE;
    }
    __u16 sport = 0;
    __u16 dport = 0;
    const __u32 sequence = __builtin_bswap32(start->sequence);
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
        sport = __builtin_bswap16(start->source);
        dport = __builtin_bswap16(start->destination);
    } else if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
        sport = dport = (__u16)(sequence >> 16);
    }
    const int inbound = packet->key.direction == STEM_INBOUND;
    struct stem_state_key key = {
        .inside = inbound ? source : destination,
        .outside = inbound ? destination : source,
        .inside_port = inbound ? sport : dport,
        .outside_port = inbound ? dport : sport,
        .protocol = protocol,
    };
    const struct stem_state* state = bpf_map_lookup_elem(&states, &key);
    const struct stem_state_usage* usage = usage_of_states();
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!state || !usage || !limits || state->proxy_port ||
        state_expired(state, now_ns(), limits, fill_of(usage->states))) {
        return STEM_CONTINUE;
    }
    if (protocol == IPPROTO_TCP) {
        /* What it quotes was sent by the end that it is for, and is not acknowledged yet. */
        const struct stem_state_end* from = &state->end[inbound ? STEM_OUTBOUND : STEM_INBOUND];
        if (!(from->flags & STEM_END_SPOKE) || seq_after(sequence, from->end) ||
            seq_after(from->acked - 1, sequence)) {
            return STEM_CONTINUE;
        }
    }
    return STEM_STATE_RELATED;
}

#endif
