/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Addresses, sides and directions, as kernel and user space share them.
 *
 * One form for both families: IPv4 lives as an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2), so that every
 * map, rule and test treats the families alike.
 */
#ifndef STEM_ABI_ADDRESS_H
#define STEM_ABI_ADDRESS_H

#include <linux/types.h>

#ifdef __cplusplus
#define STEM_ABI_ASSERT(condition) static_assert(condition, #condition)
#else
#define STEM_ABI_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d, in network byte order.
 * Octets and not words: a map dump then shows 192.0.2.1 as 192, 0, 2, 1. */
struct stem_addr {
    __u8 octet[16];
} __attribute__((aligned(8)));
STEM_ABI_ASSERT(sizeof(struct stem_addr) == 16);

/* Bits that an IPv4 prefix length gains by the mapping. */
#define STEM_V4_PREFIX_BASE 96

/* The two ports of the middlebox; also the indices of tx_ports. */
enum stem_port {
    STEM_PORT_EXTERNAL = 0,
    STEM_PORT_INTERNAL = 1,
    STEM_PORTS = 2,
};

/* Where a packet is going. Its number is the port that it came in by. */
enum stem_direction {
    STEM_INBOUND = 0,  /* external -> internal */
    STEM_OUTBOUND = 1, /* internal -> external */
    STEM_DIRECTIONS = 2,
};

#endif
