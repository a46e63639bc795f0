/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Keys and value of the minimal flow forwarder's maps, as kernel and user space share them. */
#ifndef STEM_BENCH_MINIMAL_H
#define STEM_BENCH_MINIMAL_H

#include <linux/types.h>

struct minimal_key_v4 {
    __be32 source;
    __be32 destination;
    __be16 source_port;
    __be16 destination_port;
};

struct minimal_key_v6 {
    __u8 source[16];
    __u8 destination[16];
    __be16 source_port;
    __be16 destination_port;
};

struct minimal_flow {
    __u64 full_at_ns; /* the byte bucket, kept as in stem/abi/flow.h */
    __u64 burst_ns;
    __u64 ns_per_kib;
};

#endif
