/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one way out: counts the verdict, reports it when it is a drop, and turns the reason into XDP's action.
 *
 * Writes counters.
 */
#ifndef STEM_BPF_EXIT_H
#define STEM_BPF_EXIT_H

#include "event.h"
#include "forward.h"
#include "maps.h"
#include "packet.h"
#include "steer.h"

/* stem_kind_of() as a table: one load where the switch is a call and a dozen branches (20 ns a packet). */
static const __u8 kind_of_reason[STEM_REASON_SLOTS] = {
#define STEM_KIND_ENTRY(name, number, kind, label, help) [number] = STEM_KIND_##kind,
    STEM_REASONS(STEM_KIND_ENTRY)
#undef STEM_KIND_ENTRY
};

static __always_inline enum stem_reason_kind kind_of(enum stem_reason reason) {
    return reason < STEM_REASON_SLOTS ? (enum stem_reason_kind)kind_of_reason[reason] : STEM_KIND_DROP;
}

static __always_inline void count_verdict(const struct packet* packet, enum stem_reason reason) {
    const __u32 index = stem_counter_index(reason, (enum stem_direction)packet->key.direction);
    struct stem_counter* counter = bpf_map_lookup_elem(&counters, &index);
    if (counter) {
        counter->packets++;
        counter->bytes += packet->frame_length;
    }
}

/* Gives the frame to stemd with the metadata of stem/abi/steer.h in front. The packet's pointers are void
 * after the head moved. In router mode the frame is made ready to leave first, as far as the FIB can. */
static __always_inline int send_to_controller(struct xdp_md* context, struct packet* packet,
                                              enum stem_reason reason) {
    struct stem_steer_meta about = {
        .magic = STEM_STEER_MAGIC,
        .direction = packet->key.direction,
        .flags = (prepare(context, packet, reason) == reason ? STEM_STEER_READY : 0) |
                 (packet->proxied ? STEM_STEER_PROXIED : 0),
        .reason = (__u16)reason,
        .time_ns = bpf_ktime_get_ns(),
    };
    const __u32 index = xsk_index(context, packet);
    if (bpf_xdp_adjust_meta(context, -(int)sizeof(about)) == 0) {
        struct stem_steer_meta* room = (void*)(long)context->data_meta;
        if ((void*)(room + 1) <= (void*)(long)context->data) {
            *room = about;
        }
    }
    return (int)bpf_redirect_map(&xsks, index, XDP_DROP);
}

static __always_inline int stem_exit(struct xdp_md* context, struct packet* packet, enum stem_reason reason) {
    int action = XDP_DROP;
    if (kind_of(reason) == STEM_KIND_FORWARD) {
        reason = prepare(context, packet, reason);
    }
    if (kind_of(reason) == STEM_KIND_FORWARD) {
        /* Neighbour discovery is the router's own business, and the bridge's to pass. */
        action = stem_mode == STEM_MODE_ROUTER && packet->neighbour ? XDP_PASS : send_to_other_port(packet);
        if (action == XDP_DROP) {
            reason = STEM_REDIRECT_FAILED;
        }
    }
    count_verdict(packet, reason);
    switch (kind_of(reason)) {
    case STEM_KIND_FORWARD:
        return action;
    case STEM_KIND_STACK:
        return XDP_PASS;
    case STEM_KIND_STEER:
        return send_to_controller(context, packet, reason);
    default:
        report(packet, reason);
        return XDP_DROP;
    }
}

#endif
