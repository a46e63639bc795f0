/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments: the first one is judged like a whole packet, and its verdict is kept for those that follow.
 * They must follow in order and without a gap, so that what the receiver puts together is what was judged:
 * one that comes twice, overlaps, or comes before its turn is dropped. Fragments of SIP and of media are
 * dropped: neither can be judged in pieces.
 *
 * Reads and writes fragments, fragment_budget. Costs two hash operations a fragment, others nothing.
 */
#ifndef STEM_BPF_FRAGMENT_H
#define STEM_BPF_FRAGMENT_H

#include "bucket.h"
#include "clock.h"
#include "exit_kind.h"
#include "maps.h"
#include "packet.h"
#include "steer.h"
#include "threshold.h"

#define NS_PER_MS 1000000ull

static __always_inline struct stem_fragment_key fragment_key_of(const struct packet* packet) {
    return (struct stem_fragment_key){
        .src = packet->key.src,
        .dst = packet->key.dst,
        .id = packet->fragment_id,
        .protocol = packet->ip_version == 4 ? packet->key.protocol : 0,
        .direction = packet->key.direction,
        .vlan = packet->vlan,
    };
}

static __always_inline int fragment_within_rate(const struct packet* packet, __u32 rate, __u64 now) {
    const __u32 way = packet->key.direction & 1;
    __u64* full_at = bpf_map_lookup_elem(&fragment_budget, &way);
    if (!full_at) {
        return 0;
    }
    const __u64 next = bucket_take(*full_at, now, rate ? NS_PER_SECOND / rate : 0, NS_PER_SECOND);
    if (!next) {
        return 0;
    }
    *full_at = next;
    return 1;
}

/* The verdict on a first fragment, `reason` being that on what it shows. */
__noinline int judge_first_fragment(struct packet* packet, enum stem_reason reason) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    if (kind_of(reason) == STEM_KIND_DROP) {
        return reason;
    }
    /* SIP is for stemd, which takes whole datagrams only; an open policy does not open it. */
    const int sip = (stem_modules & STEM_MODULE_SIP_STEERING) && packet->key.protocol == IPPROTO_UDP &&
                    (is_sip_port(packet->key.dport) || is_sip_port(packet->key.sport));
    if (kind_of(reason) == STEM_KIND_STEER || (sip && reason == STEM_POLICY_PASS)) {
        return STEM_FRAGMENT;
    }
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!limits) {
        return STEM_INTERNAL;
    }
    const struct stem_fragment_key key = fragment_key_of(packet);
    const __u64 now = now_ns();
    const struct stem_fragment* begun = bpf_map_lookup_elem(&fragments, &key);
    if (begun && begun->expires_ns > now) {
        return STEM_FRAGMENT_FORM; /* a second first one lies over the other */
    }
    if (!packet->fragment_more) {
        return reason; /* the first and the last (RFC 6946) */
    }
    if (!fragment_within_rate(packet, limits->fragment_rate, now)) {
        return STEM_FRAGMENT;
    }
    const struct stem_fragment first = {
        .expires_ns = now + limits->fragment_timeout * NS_PER_MS,
        .next = packet->fragment_size / 8,
        .reason = (__u16)reason,
    };
    return bpf_map_update_elem(&fragments, &key, &first, BPF_ANY) == 0 ? (int)reason : STEM_FRAGMENT;
}

/* The verdict on one that follows: its first one's. */
__noinline int judge_later_fragment(struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    const struct stem_fragment_key key = fragment_key_of(packet);
    struct stem_fragment* begun = bpf_map_lookup_elem(&fragments, &key);
    if (!begun || begun->expires_ns <= now_ns() || packet->fragment_start > begun->next) {
        return STEM_FRAGMENT_ORPHAN;
    }
    if (packet->fragment_start < begun->next) {
        return STEM_FRAGMENT_FORM;
    }
    const int reason = begun->reason;
    if (packet->fragment_more) {
        begun->next += packet->fragment_size / 8;
    } else {
        bpf_map_delete_elem(&fragments, &key);
    }
    return reason;
}

#endif
