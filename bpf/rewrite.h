/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Another address and port in a packet's place, and its checksums put right by the difference (RFC 1624). A
 * checksum that was wrong stays wrong. Owns no maps.
 */
#ifndef STEM_BPF_REWRITE_H
#define STEM_BPF_REWRITE_H

#include "octets.h"
#include "packet.h"

#define CHECKSUM_OF_UDP 6 /* octets from the header's start */
#define CHECKSUM_OF_TCP 16

enum rewritten_end {
    REWRITE_SOURCE = 0,
    REWRITE_DESTINATION = 1,
};

/* Equation 3: the sum of what goes, complemented, and of what comes. */
static __always_inline __u32 exchanged(__u32 sum, __u16 old, __u16 fresh) {
    return sum + (__u16)~old + fresh;
}

static __always_inline __u16 folded(__u32 sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)sum;
}

/* `protocol` is TCP or UDP, and the packet no fragment: packet->l4_offset is set. `port` in host byte order.
 * packet->key then says what the frame says. Gives 0, or -1 if the headers cannot be reached. */
__noinline int rewrite(struct xdp_md* context, struct packet* packet, const struct stem_addr* address,
                       __u32 port, __u32 which) {
    if (!packet || !address || !packet->l4_offset) {
        return -1;
    }
    const int destination = which == REWRITE_DESTINATION;
    const int udp = packet->key.protocol == IPPROTO_UDP;
    const int v4 = packet->ip_version == 4;
    __u16* ports = octets_at(context, packet->l4_offset, udp ? 8 : 20);
    __u16* addresses = octets_at(context, (__u32)packet->l3_offset + (v4 ? 12 : 8), v4 ? 8 : 32);
    __u16* header_checksum = octets_at(context, (__u32)packet->l3_offset + 10, 2);
    __u16* checksum =
        octets_at(context, (__u32)packet->l4_offset + (udp ? CHECKSUM_OF_UDP : CHECKSUM_OF_TCP), 2);
    if (!ports || !addresses || !header_checksum || !checksum) {
        return -1;
    }
    __u32 sum = 0;
    __u16 fresh[8];
    __builtin_memcpy(fresh, address->octet, sizeof(fresh));
    if (v4) {
        __u16* at = addresses + (destination ? 2 : 0);
        for (int i = 0; i < 2; i++) {
            sum = exchanged(sum, at[i], fresh[6 + i]);
            at[i] = fresh[6 + i];
        }
        *header_checksum = (__u16)~folded((__u32)(__u16) ~*header_checksum + sum);
    } else {
        __u16* at = addresses + (destination ? 8 : 0);
        for (int i = 0; i < 8; i++) {
            sum = exchanged(sum, at[i], fresh[i]);
            at[i] = fresh[i];
        }
    }
    const __u16 wire_port = __builtin_bswap16((__u16)port);
    __u16* at = ports + (destination ? 1 : 0);
    sum = exchanged(sum, *at, wire_port);
    *at = wire_port;
    if (!udp || *checksum != 0) { /* 0: its sender did not compute one (RFC 768), which IPv4 allows */
        const __u16 result = (__u16)~folded((__u32)(__u16) ~*checksum + sum);
        *checksum = udp && result == 0 ? 0xffff : result;
    }
    if (destination) {
        packet->key.dst = *address;
        packet->key.dport = (__u16)port;
    } else {
        packet->key.src = *address;
        packet->key.sport = (__u16)port;
    }
    return 0;
}

#endif
