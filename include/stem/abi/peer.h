/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Known peers (map peers): source addresses that have shown themselves to be somebody. They have budgets of
 * their own, and when unknown sources flood, they go first.
 *
 * Written by stemd (from what was answered, never from what was only sent) and by the operator; expired by
 * stemd, and passed over by the data plane once their time is up. The data plane only reads.
 */
#ifndef STEM_ABI_PEER_H
#define STEM_ABI_PEER_H

#include <stem/abi/address.h>

enum stem_peer_kind {
    STEM_PEER_REGISTERED = 1 << 0, /* a REGISTER from there was answered with 200 */
    STEM_PEER_DIALOG = 1 << 1,     /* a call with it is up */
    STEM_PEER_TRUNK = 1 << 2,      /* the operator named it: stemctl peers add */
    STEM_PEER_CONFIGURED = 1 << 3, /* the operator named it: [peers] trunks in stemd.toml */
};

struct stem_peer {
    __u64 expires_ns; /* CLOCK_MONOTONIC; 0 = never */
    __u32 phones;     /* contacts that registered from there, at least 1: budgets are so many times larger */
    __u32 kinds;      /* enum stem_peer_kind */
};
STEM_ABI_ASSERT(sizeof(struct stem_peer) == 16);

/* What the detector of floods has decided (map posture, one entry). Written by stemd; all zero at attach. */
enum stem_posture_bit {
    STEM_POSTURE_KNOWN_SYN = 1 << 0, /* TCP: SYNs of known peers only, others on what is left */
    STEM_POSTURE_KNOWN_SIP = 1 << 1, /* SIP: the same */
};

struct stem_posture {
    __u32 bits; /* enum stem_posture_bit */
    __u32 zero;
    __u64 since_ns; /* CLOCK_MONOTONIC of the last change */
};
STEM_ABI_ASSERT(sizeof(struct stem_posture) == 16);

#endif
