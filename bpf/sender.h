/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Can this source be on the side that its packet came from? A bridge knows who lives inside, from their ARP
 * and discovery; a router has its routes (RFC 2827, RFC 3704).
 *
 * Reads neighbours_inside, or the FIB. A hash lookup or 60 ns, off the fast path.
 */
#ifndef STEM_BPF_SENDER_H
#define STEM_BPF_SENDER_H

#include "address_kind.h"
#include "clock.h"
#include "forward.h"
#include "maps.h"
#include "packet.h"
#include "threshold.h"

static __always_inline int lives_inside(const struct packet* packet, __u32 hold) {
    const struct stem_neighbour_key key = {
        .address = packet->key.src,
        .vlan = packet->vlan,
        .inner_vlan = packet->inner_vlan,
    };
    const struct stem_neighbour* inside = bpf_map_lookup_elem(&neighbours_inside, &key);
    return inside && !(inside->flags & STEM_NEIGHBOUR_TENTATIVE) &&
           inside->seen_ns + hold * 1000000000ull > now_ns();
}

/* Link-local addresses are not routed (RFC 3927 7, RFC 4291 2.5.6), but the router itself has them. */
static __always_inline int crosses_link(const struct packet* packet) {
    const struct stem_addr* src = &packet->key.src;
    const struct stem_addr* dst = &packet->key.dst;
    if (packet->ip_version == 4) {
        return word_of(src, 3) >> 16 == 0xa9fe && word_of(dst, 3) >> 16 != 0xa9fe &&
               !v4_is_multicast(word_of(dst, 3)) && word_of(dst, 3) != STEM_V4_BROADCAST;
    }
    return v6_is_link_local(src) && !v6_is_link_local(dst) && !v6_is_multicast(dst);
}

/* The way back to an outside source must not lead inside. */
static __always_inline int routed_inside(struct xdp_md* context, const struct packet* packet) {
    const __u32 inside_port = STEM_PORT_INTERNAL;
    const __u32* inside = bpf_map_lookup_elem(&tx_ports, &inside_port);
    struct bpf_fib_lookup fib = {.ifindex = context->ingress_ifindex};
    if (packet->ip_version == 4) {
        fib.family = AF_INET;
        __builtin_memcpy(&fib.ipv4_src, &packet->key.dst.octet[12], 4);
        __builtin_memcpy(&fib.ipv4_dst, &packet->key.src.octet[12], 4);
    } else {
        fib.family = AF_INET6;
        __builtin_memcpy(fib.ipv6_src, packet->key.dst.octet, 16);
        __builtin_memcpy(fib.ipv6_dst, packet->key.src.octet, 16);
    }
    const long found = bpf_fib_lookup(context, &fib, sizeof(fib), 0);
    return inside && fib.ifindex == *inside &&
           (found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH);
}

/* Gives STEM_CONTINUE or STEM_MARTIAN. */
__noinline int judge_source(struct xdp_md* context, struct packet* packet) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!packet || !limits) {
        return STEM_INTERNAL;
    }
    if (packet->key.direction != STEM_INBOUND || !limits->source_guard) {
        return STEM_CONTINUE;
    }
    if (stem_mode == STEM_MODE_ROUTER) {
        return crosses_link(packet) || routed_inside(context, packet) ? STEM_MARTIAN : STEM_CONTINUE;
    }
    return limits->neighbour_hold && lives_inside(packet, limits->neighbour_hold) ? STEM_MARTIAN
                                                                                  : STEM_CONTINUE;
}

#endif
