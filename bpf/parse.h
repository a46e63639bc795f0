/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One bounded cursor parser: Ethernet, two VLAN tags, IPv4 with options, IPv6 with a bounded walk of
 * extension headers, fragments, UDP, TCP, ICMP. Each parse_X moves the cursor and gives STEM_CONTINUE, or the
 * reason why the packet cannot be read. A parser never decides what happens then.
 *
 * Two steps: parse(), and parse_extended() for what has IPv6 extension headers. The walk along those is three
 * quarters of all that the verifier has to follow when it is inline (Linux 6.18: 446,000 instructions,
 * against 110,000), so the data plane has it in a function of its own (extended.h).
 *
 * Owns no maps. Costs about 15 ns for an untagged UDP packet. Includes nothing of BPF, so that user space can
 * compile and fuzz the same lines.
 */
#ifndef STEM_BPF_PARSE_H
#define STEM_BPF_PARSE_H

#include "packet.h"

#include <stem/abi/deny.h>

#define STEM_ETH_P_QINQ_OLD 0x9100 /* pre-standard double tagging, still seen */
#define STEM_EXTENSIONS_MAX 6
#define STEM_VLAN_RESERVED 0x0fff

struct cursor {
    void* at;
    void* end;
};

struct vlan_tag {
    __be16 tci;
    __be16 protocol;
};

struct ipv6_extension {
    __u8 next;
    __u8 length; /* in 8-octet units after the first; AH: 4-octet units, less 2 */
    __u8 type;   /* of a routing header */
    __u8 segments_left;
};

struct ipv6_fragment {
    __u8 next;
    __u8 reserved;
    __be16 offset; /* 13 bits offset, 2 reserved, 1 more */
    __be32 id;
};

struct icmp_start {
    __u8 type;
    __u8 code;
    __be16 checksum;
};

struct arp_ipv4 {
    __be16 hardware;
    __be16 protocol;
    __u8 hardware_length;
    __u8 protocol_length;
    __be16 operation;
    __u8 body[20];
} __attribute__((packed));

/* How far the cursor is into the IP packet, octets. What the frame has behind the packet is padding and must
 * not be read as a header: so each header is held against ip_length too. */
STEM_ALWAYS_INLINE __u32 octets_before(const struct cursor* cursor, const struct frame* frame) {
    return (__u32)((__u8*)cursor->at - (__u8*)frame->l3);
}

/* Where the cursor is, for those who make their pointers anew. */
STEM_ALWAYS_INLINE __u16 offset_of(const struct cursor* cursor, const struct frame* frame) {
    return (__u16)((__u8*)cursor->at - (__u8*)frame->begin);
}

STEM_ALWAYS_INLINE enum stem_reason parse_ethernet(struct cursor* cursor, struct packet* packet,
                                                   __be16* protocol) {
    struct ethhdr* ethernet = (struct ethhdr*)cursor->at;
    if ((void*)(ethernet + 1) > cursor->end) {
        return STEM_ETHERNET_SHORT;
    }
    cursor->at = ethernet + 1;
    *protocol = ethernet->h_proto;

#define STEM_IS_TAG(p)                                                                                       \
    ((p) == STEM_BE16(ETH_P_8021Q) || (p) == STEM_BE16(ETH_P_8021AD) || (p) == STEM_BE16(STEM_ETH_P_QINQ_OLD))
    if (!STEM_IS_TAG(*protocol)) {
        return STEM_CONTINUE;
    }
    struct vlan_tag* outer = (struct vlan_tag*)cursor->at;
    if ((void*)(outer + 1) > cursor->end) {
        return STEM_VLAN_DEPTH;
    }
    cursor->at = outer + 1;
    packet->vlan = from_be16(outer->tci) & 0x0fff;
    packet->tags = 1;
    *protocol = outer->protocol;
    if (!STEM_IS_TAG(*protocol)) {
        return packet->vlan == STEM_VLAN_RESERVED ? STEM_VLAN_DEPTH : STEM_CONTINUE;
    }
    struct vlan_tag* inner = (struct vlan_tag*)cursor->at;
    if ((void*)(inner + 1) > cursor->end) {
        return STEM_VLAN_DEPTH;
    }
    cursor->at = inner + 1;
    packet->tags = 2;
    *protocol = inner->protocol;
    /* Id 0 is no VLAN, only a priority (IEEE 802.1Q 9.6): stations read on, and so does this. */
    packet->inner_vlan = packet->vlan ? from_be16(inner->tci) & 0x0fff : 0;
    packet->vlan = packet->vlan ? packet->vlan : from_be16(inner->tci) & 0x0fff;
    return STEM_IS_TAG(*protocol) || packet->vlan == STEM_VLAN_RESERVED ||
                   packet->inner_vlan == STEM_VLAN_RESERVED
               ? STEM_VLAN_DEPTH
               : STEM_CONTINUE;
#undef STEM_IS_TAG
}

STEM_ALWAYS_INLINE void map_v4(struct stem_addr* address, __be32 v4) {
    __builtin_memset(address->octet, 0, 10);
    address->octet[10] = 0xff;
    address->octet[11] = 0xff;
    __builtin_memcpy(&address->octet[12], &v4, sizeof(v4));
}

/* RFC 791 3.1. The frame may be longer than the packet (Ethernet padding), never shorter. */
STEM_ALWAYS_INLINE enum stem_reason parse_ipv4(struct cursor* cursor, struct frame* frame,
                                               struct packet* packet, __u8* protocol) {
    struct iphdr* ip = (struct iphdr*)cursor->at;
    if ((void*)(ip + 1) > cursor->end) {
        return STEM_IPV4_HEADER;
    }
    const __u32 header = (__u32)ip->ihl * 4;
    const __u32 total = from_be16(ip->tot_len);
    if (ip->version != 4 || header < sizeof(*ip) || total < header ||
        total > (__u32)((__u8*)cursor->end - (__u8*)cursor->at)) {
        return STEM_IPV4_HEADER;
    }
    frame->l3 = ip;
    packet->l3_offset = offset_of(cursor, frame);
    packet->ip_version = 4;
    packet->ip_length = total;
    packet->ttl = ip->ttl;
    map_v4(&packet->key.src, ip->saddr);
    map_v4(&packet->key.dst, ip->daddr);
    *protocol = ip->protocol;
    packet->odd = header != sizeof(*ip);
    if (ip->frag_off & STEM_BE16(0x3fff)) { /* offset or "more" */
        packet->fragment = 1;
        packet->fragment_more = (ip->frag_off & STEM_BE16(0x2000)) != 0;
        packet->fragment_start = from_be16(ip->frag_off) & 0x1fff;
        packet->fragment_size = (__u16)(total - header);
        packet->fragment_id = ip->id;
    }
    cursor->at = (__u8*)cursor->at + header;
    return STEM_CONTINUE;
}

/* An IPv4 address in an IPv6 header names nobody on a link. Here it would be taken for the IPv4 host itself,
 * and match its flows, rules and denies. */
STEM_ALWAYS_INLINE int is_mapped_v4(const struct stem_addr* address) {
    return stem_addr_word(address, 0) == 0 && stem_addr_word(address, 1) == 0 &&
           stem_addr_word(address, 2) == (__u32)__builtin_bswap32(0x0000ffff);
}

STEM_ALWAYS_INLINE int is_extension(__u8 header) {
    return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING || header == IPPROTO_DSTOPTS ||
           header == IPPROTO_FRAGMENT || header == IPPROTO_AH;
}

/* RFC 8200 3. */
STEM_ALWAYS_INLINE enum stem_reason parse_ipv6(struct cursor* cursor, struct frame* frame,
                                               struct packet* packet, __u8* protocol) {
    struct ipv6hdr* ip = (struct ipv6hdr*)cursor->at;
    if ((void*)(ip + 1) > cursor->end) {
        return STEM_IPV6_HEADER;
    }
    const __u32 payload = from_be16(ip->payload_len);
    if (ip->version != 6 || payload + sizeof(*ip) > (__u32)((__u8*)cursor->end - (__u8*)cursor->at)) {
        return STEM_IPV6_HEADER;
    }
    frame->l3 = ip;
    packet->l3_offset = offset_of(cursor, frame);
    packet->ip_version = 6;
    packet->ip_length = payload + (__u32)sizeof(*ip);
    packet->ttl = ip->hop_limit;
    __builtin_memcpy(packet->key.src.octet, &ip->saddr, 16);
    __builtin_memcpy(packet->key.dst.octet, &ip->daddr, 16);
    if (is_mapped_v4(&packet->key.src) || is_mapped_v4(&packet->key.dst)) {
        return STEM_IPV6_HEADER;
    }
    *protocol = ip->nexthdr;
    packet->odd = (__u8)is_extension(ip->nexthdr);
    cursor->at = ip + 1;
    return STEM_CONTINUE;
}

/* RFC 8200 4, from the first extension header on, which is `next`. A header that is not skipped here ends the
 * walk: it is the transport, or unknown. */
STEM_ALWAYS_INLINE enum stem_reason walk_extensions(struct cursor* cursor, const struct frame* frame,
                                                    struct packet* packet, __u8 next, __u8* protocol) {
    for (int i = 0; i <= STEM_EXTENSIONS_MAX; i++) {
        if (!is_extension(next)) {
            *protocol = next;
            return STEM_CONTINUE;
        }
        if (i == STEM_EXTENSIONS_MAX) {
            break;
        }
        struct ipv6_extension* extension = (struct ipv6_extension*)cursor->at;
        /* Hop-by-hop options come first or not at all (RFC 8200 4.1); a datagram is fragmented once. */
        if ((next == IPPROTO_HOPOPTS && i > 0) || (next == IPPROTO_FRAGMENT && packet->fragment)) {
            return STEM_IPV6_EXTENSION;
        }
        if ((void*)((__u8*)cursor->at + 8) > cursor->end ||
            octets_before(cursor, frame) + 8 > packet->ip_length) {
            return STEM_IPV6_EXTENSION;
        }
        __u32 length = ((__u32)extension->length + 1) * 8;
        if (next == IPPROTO_FRAGMENT) {
            struct ipv6_fragment* fragment = (struct ipv6_fragment*)cursor->at;
            length = sizeof(*fragment); /* its second octet is reserved, not a length */
            packet->fragment = 1;
            packet->fragment_more = (fragment->offset & STEM_BE16(1)) != 0;
            packet->fragment_start = from_be16(fragment->offset) >> 3;
            packet->fragment_size = (__u16)(packet->ip_length - octets_before(cursor, frame) - length);
            packet->fragment_id = fragment->id;
            if (packet->fragment_start != 0) { /* no first fragment: no headers follow */
                *protocol = fragment->next;
                return STEM_CONTINUE;
            }
        } else if (next == IPPROTO_AH) {
            length = ((__u32)extension->length + 2) * 4;
        } else if (next == IPPROTO_ROUTING && extension->segments_left != 0) {
            return STEM_SOURCE_ROUTE; /* whatever its type: it goes on to another than is judged here */
        }
        next = extension->next;
        cursor->at = (__u8*)cursor->at + length;
        if (cursor->at > cursor->end || octets_before(cursor, frame) > packet->ip_length) {
            return STEM_IPV6_EXTENSION;
        }
    }
    return STEM_IPV6_EXTENSION;
}

STEM_ALWAYS_INLINE enum stem_reason parse_udp(struct cursor* cursor, struct frame* frame,
                                              struct packet* packet) {
    struct udphdr* udp = (struct udphdr*)cursor->at;
    if ((void*)(udp + 1) > cursor->end) {
        return STEM_UDP_HEADER;
    }
    const __u32 length = from_be16(udp->len);
    if (length < sizeof(*udp) || octets_before(cursor, frame) + length > packet->ip_length) {
        return STEM_UDP_HEADER;
    }
    packet->l4_offset = offset_of(cursor, frame);
    packet->payload_offset = packet->l4_offset + (__u16)sizeof(*udp);
    frame->payload = udp + 1;
    packet->payload_length = (__u16)(length - sizeof(*udp));
    packet->key.sport = from_be16(udp->source);
    packet->key.dport = from_be16(udp->dest);
    return STEM_CONTINUE;
}

STEM_ALWAYS_INLINE enum stem_reason parse_tcp(struct cursor* cursor, struct frame* frame,
                                              struct packet* packet) {
    struct tcphdr* tcp = (struct tcphdr*)cursor->at;
    if ((void*)(tcp + 1) > cursor->end) {
        return STEM_TCP_HEADER;
    }
    const __u32 header = (__u32)tcp->doff * 4;
    if (header < sizeof(*tcp) || octets_before(cursor, frame) + header > packet->ip_length) {
        return STEM_TCP_HEADER;
    }
    packet->l4_offset = offset_of(cursor, frame);
    packet->payload_offset = packet->l4_offset + (__u16)header;
    packet->key.sport = from_be16(tcp->source);
    packet->key.dport = from_be16(tcp->dest);
    packet->tcp_flags = ((const __u8*)tcp)[13] & 0x3f;
    return STEM_CONTINUE;
}

/* Neighbour discovery (RFC 4861) and multicast listening (RFC 2710, 3810): what IPv6 cannot live without on a
 * link. Discovery counts only with the hop limit that shows it came from this link. */
STEM_ALWAYS_INLINE int is_ipv6_neighbour(const struct packet* packet) {
    const __u8 type = packet->icmp_type;
    if (type >= 133 && type <= 137) {
        return packet->ttl == 255;
    }
    return packet->ttl == 1 && ((type >= 130 && type <= 132) || type == 143);
}

STEM_ALWAYS_INLINE enum stem_reason parse_icmp(struct cursor* cursor, const struct frame* frame,
                                               struct packet* packet, __u8 protocol) {
    struct icmp_start* icmp = (struct icmp_start*)cursor->at;
    if ((void*)(icmp + 1) > cursor->end || octets_before(cursor, frame) + sizeof(*icmp) > packet->ip_length) {
        return STEM_ICMP_HEADER;
    }
    packet->l4_offset = offset_of(cursor, frame);
    packet->icmp_type = icmp->type;
    packet->neighbour = protocol == IPPROTO_ICMPV6 && packet->ip_version == 6 && is_ipv6_neighbour(packet);
    return STEM_CONTINUE;
}

/*
 * What the first fragment tells of the transport: ports and flags are true only if the whole header is in it,
 * so that no later fragment can write over it (RFC 1858, RFC 7112). The payload is no one's before it is
 * whole.
 */
STEM_ALWAYS_INLINE enum stem_reason parse_first_fragment(struct cursor* cursor, const struct frame* frame,
                                                         struct packet* packet, __u8 protocol) {
    __u8* start = (__u8*)cursor->at;
    const __u32 size = packet->ip_length - octets_before(cursor, frame);
    if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP && protocol != IPPROTO_ICMP &&
        protocol != IPPROTO_ICMPV6) {
        return STEM_CONTINUE;
    }
    if ((void*)(start + sizeof(struct udphdr)) > cursor->end || size < sizeof(struct udphdr)) {
        return STEM_FRAGMENT_FORM;
    }
    packet->l4_offset = offset_of(cursor, frame);
    if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
        packet->icmp_type = start[0];
        return STEM_CONTINUE;
    }
    struct udphdr* ports = (struct udphdr*)start; /* TCP's are in the same place */
    packet->key.sport = from_be16(ports->source);
    packet->key.dport = from_be16(ports->dest);
    if (protocol == IPPROTO_TCP) {
        struct tcphdr* tcp = (struct tcphdr*)start;
        if ((void*)(tcp + 1) > cursor->end || tcp->doff * 4u < sizeof(*tcp) || tcp->doff * 4u > size) {
            return STEM_FRAGMENT_FORM;
        }
        packet->tcp_flags = start[13] & 0x3f;
    }
    return STEM_CONTINUE;
}

STEM_ALWAYS_INLINE enum stem_reason parse_arp(struct cursor* cursor, const struct frame* frame,
                                              struct packet* packet) {
    struct arp_ipv4* arp = (struct arp_ipv4*)cursor->at;
    if ((void*)(arp + 1) > cursor->end || arp->hardware != STEM_BE16(1) ||
        arp->protocol != STEM_BE16(ETH_P_IP) || arp->hardware_length != 6 || arp->protocol_length != 4) {
        return STEM_ARP_HEADER;
    }
    packet->l3_offset = offset_of(cursor, frame);
    packet->neighbour = 1;
    return STEM_CONTINUE;
}

STEM_ALWAYS_INLINE enum stem_reason parse_transport(struct cursor* cursor, struct frame* frame,
                                                    struct packet* packet, __u8 protocol) {
    packet->key.protocol = protocol;
    if (packet->fragment) {
        return packet->fragment_start ? STEM_CONTINUE : parse_first_fragment(cursor, frame, packet, protocol);
    }
    if (protocol == IPPROTO_UDP) {
        return parse_udp(cursor, frame, packet);
    }
    if (protocol == IPPROTO_TCP) {
        return parse_tcp(cursor, frame, packet);
    }
    if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
        return parse_icmp(cursor, frame, packet, protocol);
    }
    return STEM_CONTINUE;
}

/* 1: parse() stopped before the extension headers, and parse_extended() has to go on. */
STEM_ALWAYS_INLINE int is_extended(const struct packet* packet) {
    return packet->ip_version == 6 && packet->odd;
}

/* `frame` comes with begin and end, `packet` zeroed but for the frame's length and the key's direction. */
STEM_ALWAYS_INLINE enum stem_reason parse(struct frame* frame, struct packet* packet) {
    struct cursor cursor = {frame->begin, frame->end};
    __be16 ethertype = 0;
    __u8 protocol = 0;

    enum stem_reason fault = parse_ethernet(&cursor, packet, &ethertype);
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    if (ethertype == STEM_BE16(ETH_P_IP)) {
        fault = parse_ipv4(&cursor, frame, packet, &protocol);
    } else if (ethertype == STEM_BE16(ETH_P_IPV6)) {
        fault = parse_ipv6(&cursor, frame, packet, &protocol);
    } else if (ethertype == STEM_BE16(ETH_P_ARP)) {
        return parse_arp(&cursor, frame, packet);
    } else {
        return STEM_ETHERTYPE;
    }
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    if (is_extended(packet)) {
        packet->key.protocol = protocol; /* the first extension header, until parse_extended() */
        return STEM_CONTINUE;
    }
    return parse_transport(&cursor, frame, packet, protocol);
}

/* The rest of a packet that has extension headers. `frame` comes with begin, end and l3. */
STEM_ALWAYS_INLINE enum stem_reason parse_extended(struct frame* frame, struct packet* packet) {
    struct cursor cursor = {(__u8*)frame->l3 + sizeof(struct ipv6hdr), frame->end};
    __u8 protocol = 0;
    const enum stem_reason fault = walk_extensions(&cursor, frame, packet, packet->key.protocol, &protocol);
    return fault == STEM_CONTINUE ? parse_transport(&cursor, frame, packet, protocol) : fault;
}

#endif
