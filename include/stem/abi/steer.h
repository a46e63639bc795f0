/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the data plane tells stemd about a steered frame: the XDP metadata right in front of it.
 */
#ifndef STEM_ABI_STEER_H
#define STEM_ABI_STEER_H

#include <stem/abi/address.h>

#define STEM_STEER_MAGIC 0x53544d31u /* "STM1": a frame without metadata does not carry it */

enum stem_steer_flag {
    /* The frame is ready to leave by the other port as it is: bridge mode, or router mode with link
     * addresses and TTL already rewritten from the FIB. Else stemd sends the packet through the kernel. */
    STEM_STEER_READY = 1 << 0,
    /* Between a client and the SIP proxy: stemd puts the proxy's address in the place of the called one
     * (inbound), or the called one's in the place of the proxy's (outbound), as it lets it go. */
    STEM_STEER_PROXIED = 1 << 1,
};

struct stem_steer_meta {
    __u32 magic;
    __u8 direction; /* enum stem_direction */
    __u8 flags;     /* enum stem_steer_flag */
    __u16 reason;   /* enum stem_reason: STEER_SIP or RULE_STEER */
    __u64 time_ns;  /* CLOCK_MONOTONIC when the data plane saw it */
};
STEM_ABI_ASSERT(sizeof(struct stem_steer_meta) == 16);

/* xsks: port * STEM_QUEUES_MAX + rx queue. */
#define STEM_QUEUES_MAX 64
#define STEM_XSKS_MAX (STEM_PORTS * STEM_QUEUES_MAX)

#endif
