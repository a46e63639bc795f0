/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Monitor-only: media that would be dropped pass where their peer outside is only monitored (docs/calls.md).
 *
 * Reads monitored; counts in would_drops. Asked only of what is about to be dropped as media.
 */
#ifndef STEM_BPF_MONITORED_H
#define STEM_BPF_MONITORED_H

#include "event.h"
#include "maps.h"
#include "packet.h"

/* What the call monitor stands for; not the deny list, the rules, nor the form of a packet. */
static __always_inline int is_media_drop(enum stem_reason reason) {
    return reason == STEM_NO_PINHOLE ||
           (reason >= STEM_FLOW_BYTE_RATE && reason <= STEM_RTP_UNLEARNED && reason != STEM_FLOW_DENIED);
}

/* Gives STEM_MONITORED, or the reason as it was. A function of its own, for the verifier's sake. */
__noinline int judge_monitored(const struct packet* packet, enum stem_reason reason) {
    if (!packet || packet->key.protocol != IPPROTO_UDP || packet->key.sport < STEM_MEDIA_PORT_MIN ||
        packet->key.dport < STEM_MEDIA_PORT_MIN) {
        return reason;
    }
    struct stem_monitored_key key = {.prefix_length = 128};
    if (packet->key.direction == STEM_INBOUND) {
        __builtin_memcpy(key.peer, packet->key.src.octet, sizeof(key.peer));
    } else {
        __builtin_memcpy(key.peer, packet->key.dst.octet, sizeof(key.peer));
    }
    if (!bpf_map_lookup_elem(&monitored, &key)) {
        return reason;
    }
    const __u32 index = stem_counter_index(reason, (enum stem_direction)packet->key.direction);
    struct stem_counter* counter = bpf_map_lookup_elem(&would_drops, &index);
    if (counter) {
        __sync_fetch_and_add(&counter->packets, 1);
        __sync_fetch_and_add(&counter->bytes, packet->frame_length);
    }
    report(packet, reason, 1);
    return STEM_MONITORED;
}

#endif
