/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses that no packet on a wire can have (RFC 6890, RFC 4291, RFC 3964). Owns no maps; a handful of
 * comparisons. Includes nothing of BPF.
 */
#ifndef STEM_BPF_ADDRESS_KIND_H
#define STEM_BPF_ADDRESS_KIND_H

#include "packet.h"

#include <stem/abi/deny.h>

#define STEM_V4_BROADCAST 0xffffffffu

/* `address` in host byte order. 0/8, 127/8, and 240/4 with the limited broadcast. */
STEM_ALWAYS_INLINE int v4_is_nobody(__u32 address) {
    const __u32 first = address >> 24;
    return first == 0 || first == 127 || first >= 240;
}

STEM_ALWAYS_INLINE int v4_is_multicast(__u32 address) {
    return address >> 28 == 14;
}

STEM_ALWAYS_INLINE __u32 word_of(const struct stem_addr* address, int which) {
    return __builtin_bswap32(stem_addr_word(address, which));
}

/* An IPv4 host may ask for an address (DHCP) or for groups (IGMP) before it has one. */
STEM_ALWAYS_INLINE int v4_addresses_cannot_be(__u32 src, __u32 dst) {
    const int asks = src == 0 && (dst == STEM_V4_BROADCAST || v4_is_multicast(dst));
    return src == dst || v4_is_multicast(src) || (v4_is_nobody(src) && !asks) ||
           (v4_is_nobody(dst) && dst != STEM_V4_BROADCAST);
}

STEM_ALWAYS_INLINE int v6_is_multicast(const struct stem_addr* address) {
    return address->octet[0] == 0xff;
}

STEM_ALWAYS_INLINE int v6_is_link_local(const struct stem_addr* address) {
    return word_of(address, 0) >> 22 == 0xfe800000u >> 22;
}

/* ::/96 holds the unspecified, the loopback and the IPv4-compatible addresses; 6to4 and NAT64 name an IPv4
 * host, which must be one. */
STEM_ALWAYS_INLINE int v6_is_nobody(const struct stem_addr* address) {
    const __u32 first = word_of(address, 0);
    const __u32 second = word_of(address, 1);
    const __u32 third = word_of(address, 2);
    if (first == 0 && second == 0 && third == 0) {
        return 1;
    }
    if (first >> 16 == 0x2002) {
        const __u32 embedded = (first << 16) | (second >> 16);
        return v4_is_nobody(embedded) || v4_is_multicast(embedded);
    }
    if (first == 0x0064ff9b && second == 0 && third == 0) {
        const __u32 embedded = word_of(address, 3);
        return v4_is_nobody(embedded) || v4_is_multicast(embedded);
    }
    return first >> 16 == 0xff00 || first >> 16 == 0xff01; /* of this host only (RFC 4291 2.7) */
}

STEM_ALWAYS_INLINE int addresses_cannot_be(const struct packet* packet) {
    const struct stem_addr* src = &packet->key.src;
    const struct stem_addr* dst = &packet->key.dst;
    if (packet->ip_version == 4) {
        return v4_addresses_cannot_be(word_of(src, 3), word_of(dst, 3));
    }
    const int same = word_of(src, 0) == word_of(dst, 0) && word_of(src, 1) == word_of(dst, 1) &&
                     word_of(src, 2) == word_of(dst, 2) && word_of(src, 3) == word_of(dst, 3);
    return same || v6_is_multicast(src) || v6_is_nobody(src) || v6_is_nobody(dst);
}

#endif
