/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Indices that the verifier can see the bounds of. The compiler knows more than the verifier: it leaves a
 * bound out that it has proven itself, applies it to the parts of a sum or an exclusive or, or compares one
 * copy of an index and uses another; and the verifier before Linux 6.10 forgets the bounds of what was put
 * together by a bitwise or.
 *
 * Owns no maps and costs nothing. Includes nothing of BPF, so that user space can compile the same lines.
 */
#ifndef STEM_BPF_BOUND_H
#define STEM_BPF_BOUND_H

#include "packet.h"

/* The same number, of which the compiler knows nothing. */
STEM_ALWAYS_INLINE __u32 opaque(__u32 index) {
    asm volatile("" : "+r"(index));
    return index;
}

/* `index` modulo `count`, which is a constant power of two. */
STEM_ALWAYS_INLINE __u32 bounded(__u32 index, __u32 count) {
    return opaque(index) & (count - 1);
}

#endif
