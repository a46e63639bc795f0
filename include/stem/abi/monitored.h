/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Peers outside that are only monitored: their media pass, and what would have been dropped is counted in
 * would_drops, by the index of counters.
 */
#ifndef STEM_ABI_MONITORED_H
#define STEM_ABI_MONITORED_H

#include <stem/abi/address.h>

struct stem_monitored_key {
    __u32 prefix_length; /* bits; IPv4 counts from STEM_V4_PREFIX_BASE */
    __u8 peer[16];       /* as in struct stem_addr */
};
STEM_ABI_ASSERT(sizeof(struct stem_monitored_key) == 20);

#define STEM_MONITORED_MAX 1024

/* Media never come from, or go to, a port below: such a packet is not theirs, and is dropped as ever. */
#define STEM_MEDIA_PORT_MIN 1024

#endif
