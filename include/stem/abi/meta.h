/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What an attached instance is: written by `stemctl attach`, and by `stemctl modules` and `upgrade` when they
 * change it; read by whoever adopts the pins.
 */
#ifndef STEM_ABI_META_H
#define STEM_ABI_META_H

#include <stem/abi/address.h>
#include <stem/abi/module.h>

/* Rises whenever the layout or meaning of a pinned map changes. */
#define STEM_SCHEMA_VERSION 6

enum stem_mode {
    STEM_MODE_BRIDGE = 1,
    STEM_MODE_ROUTER = 2,
};

enum stem_xdp_mode {
    STEM_XDP_NATIVE = 1,
    STEM_XDP_GENERIC = 2,
};

struct stem_meta {
    __u32 schema; /* STEM_SCHEMA_VERSION; first, so that any version can read it */
    __u32 mode;   /* enum stem_mode */
    __u32 ifindex[STEM_PORTS];
    __u32 xdp_mode[STEM_PORTS]; /* enum stem_xdp_mode */
    char ifname[STEM_PORTS][16];
    __u64 attached_at;   /* seconds since 1970 */
    __u32 modules;       /* enum stem_module: which are on */
    __u32 fallback_open; /* 1: SIP is forwarded unjudged while stemd is away */
    char boot_id[40];    /* /proc/sys/kernel/random/boot_id: CLOCK_MONOTONIC values mean nothing after it */
    char version[24];    /* of the stemctl whose programs run */
    __u64 module_since[STEM_MODULE_SLOTS]; /* by bit: when it was last switched, seconds since 1970 */
};
STEM_ABI_ASSERT(sizeof(struct stem_meta) == 264);

#endif
