/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The thresholds in force, the posture, and whether a source is a known peer.
 * Reads thresholds, posture (a load each) and peers (a hash lookup).
 */
#ifndef STEM_BPF_THRESHOLD_H
#define STEM_BPF_THRESHOLD_H

#include "clock.h"
#include "maps.h"

static __always_inline const struct stem_thresholds* thresholds_in_force(void) {
    const __u32 zero = 0;
    return bpf_map_lookup_elem(&thresholds, &zero);
}

static __always_inline __u32 posture_bits(void) {
    const __u32 zero = 0;
    const struct stem_posture* now = bpf_map_lookup_elem(&posture, &zero);
    return now ? now->bits : 0;
}

/* NULL: nobody we know, or not any more. */
static __always_inline const struct stem_peer* known_peer(const struct stem_addr* source) {
    const struct stem_addr key = *source; /* on the stack: Linux 6.1 takes a key from nowhere else here */
    const struct stem_peer* peer = bpf_map_lookup_elem(&peers, &key);
    return peer && (peer->expires_ns == 0 || peer->expires_ns > now_ns()) ? peer : NULL;
}

#endif
