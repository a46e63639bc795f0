/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Datagrams that come in pieces (map fragments). Written by the data plane when it lets a first fragment go
 * on; removed with the last one, or over written once its time is up.
 */
#ifndef STEM_ABI_FRAGMENT_H
#define STEM_ABI_FRAGMENT_H

#include <stem/abi/address.h>

struct stem_fragment_key {
    struct stem_addr src;
    struct stem_addr dst;
    __u32 id;       /* as on the wire */
    __u8 protocol;  /* IPv4; 0 for IPv6, whose later fragments may name any (RFC 8200 4.5) */
    __u8 direction; /* enum stem_direction */
    __u16 vlan;     /* outer id, 0 = untagged */
};
STEM_ABI_ASSERT(sizeof(struct stem_fragment_key) == 40);

struct stem_fragment {
    __u64 expires_ns; /* CLOCK_MONOTONIC */
    __u16 next;       /* where the next fragment must begin, in 8 octets */
    __u16 reason;     /* enum stem_reason: the first one's verdict, and so the others' */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_fragment) == 16);

#endif
