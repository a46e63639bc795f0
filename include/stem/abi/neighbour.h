/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which address spoke on which side of the bridge (maps neighbours_inside and neighbours_outside). Written by
 * the data plane from ARP and neighbour discovery; a side's stations write only their own side's map, so that
 * nobody outside can push an inside address out.
 */
#ifndef STEM_ABI_NEIGHBOUR_H
#define STEM_ABI_NEIGHBOUR_H

#include <stem/abi/address.h>

struct stem_neighbour_key {
    struct stem_addr address;
    __u16 vlan;       /* outer id, 0 = untagged */
    __u16 inner_vlan; /* 0 = less than two tags */
    __u32 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_neighbour_key) == 24);

enum stem_neighbour_flag {
    STEM_NEIGHBOUR_TENTATIVE = 1 << 0, /* asked whether anybody has it (RFC 5227, RFC 4862), not yet used */
};

struct stem_neighbour {
    __u64 seen_ns;   /* CLOCK_MONOTONIC of the last claim */
    __u8 station[6]; /* that made it: the Ethernet source */
    __u8 flags;      /* enum stem_neighbour_flag */
    __u8 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_neighbour) == 16);

/* ARP and discovery of a station: the time at which its budget is full again (map neighbour_budget). */
struct stem_station_key {
    __u8 station[6];
    __u8 direction; /* enum stem_direction */
    __u8 zero;
};
STEM_ABI_ASSERT(sizeof(struct stem_station_key) == 8);

#endif
