/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The one way out: counts the verdict, reports it when it is a drop, and turns the reason into XDP's action.
 *
 * Writes counters.
 */
#ifndef STEM_BPF_EXIT_H
#define STEM_BPF_EXIT_H

#include "event.h"
#include "exit_kind.h"
#include "forward.h"
#include "maps.h"
#include "packet.h"
#include "proof.h"
#include "steer.h"

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
                 (packet->proxied ? STEM_STEER_PROXIED : 0) |
                 (packet->lane == STEM_LANE_KNOWN ? STEM_STEER_KNOWN : 0),
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
    if (kind_of(reason) == STEM_KIND_ANSWER) {
        action = send_back(packet);
        if (action == XDP_DROP) {
            reason = STEM_REDIRECT_FAILED;
        } else if (answer_with_cookie(context, packet) != 0) {
            reason = STEM_SYN_UNKNOWN_LANE; /* no cookie to be had: as if the module were off */
        }
    }
    count_verdict(packet, reason);
    switch (kind_of(reason)) {
    case STEM_KIND_FORWARD:
    case STEM_KIND_ANSWER:
        return action;
    case STEM_KIND_STACK:
        return XDP_PASS;
    case STEM_KIND_STEER:
        return send_to_controller(context, packet, reason);
    default:
        report(packet, reason, 0);
        return XDP_DROP;
    }
}

#endif
