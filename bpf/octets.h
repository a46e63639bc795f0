/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A pointer into the frame, made anew from the context: for the stages that are functions of their own.
 * Owns no maps. Costs two loads and two comparisons.
 */
#ifndef STEM_BPF_OCTETS_H
#define STEM_BPF_OCTETS_H

#include "packet.h"

#include <linux/bpf.h>

/* Offsets that the verifier follows: it gives up at 65,535, and headers are in the first page. */
#define STEM_OFFSET_MAX 0x0fffu

/* `size` octets of the frame from `offset` on; NULL if the frame has less, or the offset is beyond reach. */
static __always_inline void* octets_at(const struct xdp_md* context, __u32 offset, __u32 size) {
    void* end = (void*)(long)context->data_end;
    /* Or the compiler compares what the offset was made of: Linux 6.1 does not see that this bounds the sum.
     */
    asm volatile("" : "+r"(offset));
    if (offset > STEM_OFFSET_MAX) {
        return NULL;
    }
    __u8* at = (__u8*)(long)context->data + offset;
    return (void*)(at + size) > end ? NULL : at;
}

#endif
