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

/* Puts `fresh` in the place of `halves` halves of an address; gives the sum with them exchanged. */
static __always_inline __u32 exchange_address(__u16* at, const __u16* fresh, int halves, __u32 sum) {
    for (int i = 0; i < halves; i++) {
        sum = exchanged(sum, at[i], fresh[i]);
        at[i] = fresh[i];
    }
    return sum;
}

/* The address, and in IPv4 the header's checksum. A branch for each family, with sizes that are constants:
 * Linux 6.1 does not see that two tests of the version agree. Gives 0, or -1 if the header is out of reach.
 */
static __always_inline int rewrite_address(struct xdp_md* context, const struct packet* packet,
                                           const struct stem_addr* address, int destination, __u32* sum) {
    __u16 fresh[8];
    __builtin_memcpy(fresh, address->octet, sizeof(fresh));
    const __u32 l3 = packet->l3_offset;
    if (packet->ip_version == 4) {
        __u16* at = octets_at(context, l3 + (destination ? 16 : 12), 4);
        __u16* header_checksum = octets_at(context, l3 + 10, 2);
        if (!at || !header_checksum) {
            return -1;
        }
        *sum = exchange_address(at, &fresh[6], 2, *sum);
        *header_checksum = (__u16)~folded((__u32)(__u16) ~*header_checksum + *sum);
        return 0;
    }
    __u16* at = octets_at(context, l3 + (destination ? 24 : 8), 16);
    if (!at) {
        return -1;
    }
    *sum = exchange_address(at, fresh, 8, *sum);
    return 0;
}

/* `protocol` is TCP or UDP, and the packet no fragment: packet->l4_offset is set. `port` in host byte order.
 * packet->key then says what the frame says. Gives 0, or -1 if the headers cannot be reached: the frame is
 * then to be dropped. */
__noinline int rewrite(struct xdp_md* context, struct packet* packet, const struct stem_addr* address,
                       __u32 port, __u32 which) {
    if (!packet || !address || !packet->l4_offset) {
        return -1;
    }
    const int destination = which == REWRITE_DESTINATION;
    const int udp = packet->key.protocol == IPPROTO_UDP;
    __u16* at = octets_at(context, packet->l4_offset + (destination ? 2u : 0u), 2);
    __u16* checksum =
        octets_at(context, (__u32)packet->l4_offset + (udp ? CHECKSUM_OF_UDP : CHECKSUM_OF_TCP), 2);
    __u32 sum = 0;
    if (!at || !checksum || rewrite_address(context, packet, address, destination, &sum) != 0) {
        return -1;
    }
    const __u16 wire_port = __builtin_bswap16((__u16)port);
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
