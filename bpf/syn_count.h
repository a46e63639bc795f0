/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Figures of the SYN monitor, for people and for the detector of floods. Writes syn_counts; a load each.
 */
#ifndef STEM_BPF_SYN_COUNT_H
#define STEM_BPF_SYN_COUNT_H

#include "maps.h"

static __always_inline void count_syn(__u32 which) {
    __u64* count = bpf_map_lookup_elem(&syn_counts, &which);
    if (count) {
        (*count)++;
    }
}

#endif
