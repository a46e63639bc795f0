/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Comparing addresses. Owns no maps.
 */
#ifndef STEM_BPF_ADDRESS_H
#define STEM_BPF_ADDRESS_H

#include <stem/abi/address.h>

static __always_inline int same_address(const struct stem_addr* a, const struct stem_addr* b) {
    __u64 left[2];
    __u64 right[2];
    __builtin_memcpy(left, a->octet, sizeof(left));
    __builtin_memcpy(right, b->octet, sizeof(right));
    return left[0] == right[0] && left[1] == right[1];
}

#endif
