/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments: the first one is judged like a whole packet, and its verdict is kept for those that follow.
 * They must follow in order and without a gap, so that what the receiver puts together is what was judged:
 * one that comes twice, overlaps, or comes before its turn is dropped. Fragments of media are dropped, as
 * they cannot be judged in pieces.
 *
 * Fragments of SIP go to stemd, in any order, which puts them together (ctl/fragment) and judges the whole. A
 * first one shows its ports, and is remembered for those that follow. One that comes before its first shows
 * none: few of them go to stemd as well, on a budget of all sources together, in the hope that they are SIP.
 * All keep to their source's budgets (signalling.h). Where the whole is the proxy's, the first one says so to
 * stemd (proxy.h).
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
#define EARLY_SHARE 32 /* of threshold fragment_rate: fragments that may come before their first one */

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

enum fragment_budget_kind {
    FRAGMENT_BUDGET_FIRST = 0,
    FRAGMENT_BUDGET_EARLY = 1, /* before their first one */
};

static __always_inline int fragment_within_rate(const struct packet* packet, enum fragment_budget_kind kind,
                                                __u32 rate, __u64 now) {
    const __u32 slot = (__u32)kind * STEM_DIRECTIONS + (packet->key.direction & 1u);
    __u64* full_at = bpf_map_lookup_elem(&fragment_budget, &slot);
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
    const int steered = kind_of(reason) == STEM_KIND_STEER;
    if (steered && packet->key.protocol != IPPROTO_UDP) {
        return STEM_FRAGMENT; /* TCP that a rule steers: stemd takes whole segments only */
    }
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!limits) {
        return STEM_INTERNAL;
    }
    const struct stem_fragment_key key = fragment_key_of(packet);
    const __u64 now = now_ns();
    const struct stem_fragment* begun = bpf_map_lookup_elem(&fragments, &key);
    if (begun && begun->expires_ns > now) {
        /* A second first one lies over the other. Of SIP, stemd sees whether it is the same once more. */
        return steered && begun->reason == (__u16)reason ? (int)reason : STEM_FRAGMENT_FORM;
    }
    if (!packet->fragment_more) {
        return reason; /* the first and the last (RFC 6946) */
    }
    if (!fragment_within_rate(packet, FRAGMENT_BUDGET_FIRST, limits->fragment_rate, now)) {
        return STEM_FRAGMENT;
    }
    const struct stem_fragment first = {
        .expires_ns = now + limits->fragment_timeout * NS_PER_MS,
        .next = packet->fragment_size / 8,
        .reason = (__u16)reason,
    };
    return bpf_map_update_elem(&fragments, &key, &first, BPF_ANY) == 0 ? (int)reason : STEM_FRAGMENT;
}

/* Nothing is known of its first one, which may still come, and be SIP. IPv6's may name any protocol. */
static __always_inline int may_be_early(const struct packet* packet, __u64 now) {
    const struct stem_thresholds* limits = thresholds_in_force();
    return (stem_modules & STEM_MODULE_SIP_STEERING) && limits && packet->key.protocol == IPPROTO_UDP &&
           limits->fragment_rate >= EARLY_SHARE &&
           fragment_within_rate(packet, FRAGMENT_BUDGET_EARLY, limits->fragment_rate / EARLY_SHARE, now);
}

/* The verdict on one that follows: its first one's. */
__noinline int judge_later_fragment(struct xdp_md* context, struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    const struct stem_fragment_key key = fragment_key_of(packet);
    struct stem_fragment* begun = bpf_map_lookup_elem(&fragments, &key);
    const __u64 now = now_ns();
    const int known = begun && begun->expires_ns > now;
    if (known ? kind_of((enum stem_reason)begun->reason) == STEM_KIND_STEER : may_be_early(packet, now)) {
        const enum stem_reason reason = steer_within_budget(context, packet, STEM_STEER_SIP);
        return kind_of(reason) == STEM_KIND_STEER || (known && kind_of(reason) == STEM_KIND_DROP)
                   ? (int)reason
                   : STEM_FRAGMENT_ORPHAN;
    }
    if (!known || packet->fragment_start > begun->next) {
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
