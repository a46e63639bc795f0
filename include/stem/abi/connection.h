/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * SIP over TCP that stemd follows (map sip_connections): how far each end has been sent whole messages, for a
 * stemd after this one. Only stemd writes and reads it; it lives in the kernel as the dialogs do.
 */
#ifndef STEM_ABI_CONNECTION_H
#define STEM_ABI_CONNECTION_H

#include <stem/abi/address.h>

struct stem_connection_key {
    struct stem_addr outside;
    struct stem_addr inside; /* as the outside end calls it */
    __u16 outside_port;      /* host byte order */
    __u16 inside_port;       /* host byte order */
    __u8 zero[4];
};
STEM_ABI_ASSERT(sizeof(struct stem_connection_key) == 40);

struct stem_connection {
    /* By the direction of what an end sends: the sequence number behind all that it has been sent. */
    __u32 behind[STEM_DIRECTIONS];
    __u32 known; /* 1: its outside end is somebody (docs/flood.md) */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_connection) == 16);

#endif
