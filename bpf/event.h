/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sampled reports of verdicts, for people. A budget of events a second and CPU, so that a flood of drops does
 * not become a flood of events; what was suppressed or lost is counted.
 *
 * Writes events, event_counters, event_budget.
 */
#ifndef STEM_BPF_EVENT_H
#define STEM_BPF_EVENT_H

#include "bucket.h"
#include "clock.h"
#include "maps.h"
#include "packet.h"

static __always_inline void count_event(__u32 which) {
    __u64* count = bpf_map_lookup_elem(&event_counters, &which);
    if (count) {
        (*count)++;
    }
}

static __always_inline int event_within_budget(__u64 now) {
    const __u32 zero = 0;
    __u64* full_at = bpf_map_lookup_elem(&event_budget, &zero);
    if (!full_at || !stem_event_rate) {
        return 0;
    }
    const __u64 next = bucket_take(*full_at, now, 1000000000ull / stem_event_rate, 100000000ull);
    if (!next) {
        return 0;
    }
    *full_at = next;
    return 1;
}

/* A function of its own, for the verifier's sake. Gives 0, as such functions must give a number. */
__noinline int report(const struct packet* packet, enum stem_reason reason, int is_monitored) {
    if (!packet) {
        return 0;
    }
    const __u64 now = now_ns();
    if (!event_within_budget(now)) {
        count_event(STEM_EVENTS_SUPPRESSED);
        return 0;
    }
    struct stem_event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event) {
        count_event(STEM_EVENTS_LOST);
        return 0;
    }
    event->time_ns = now;
    event->src = packet->key.src;
    event->dst = packet->key.dst;
    event->sport = packet->key.sport;
    event->dport = packet->key.dport;
    event->reason = (__u16)reason;
    event->vlan = packet->vlan;
    event->length = packet->frame_length;
    event->direction = packet->key.direction;
    event->protocol = packet->key.protocol;
    event->ip_version = packet->ip_version;
    event->monitored = (__u8)is_monitored;
    event->rule = packet->rule;
    event->zeros = 0;
    event->generation = packet->generation;
    bpf_ringbuf_submit(event, 0);
    count_event(STEM_EVENTS_SENT);
    return 0;
}

#endif
