/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The way out. Bridge: the other port, untouched. Router: the kernel's FIB names next hop and port; what the
 * fast path cannot finish goes to the kernel's stack, unmodified, after it was judged.
 *
 * Reads tx_ports and the FIB (about 60 ns).
 */
#ifndef STEM_BPF_FORWARD_H
#define STEM_BPF_FORWARD_H

#include "maps.h"
#include "octets.h"
#include "packet.h"
#include "settings.h"

#define AF_INET 2
#define AF_INET6 10

static __always_inline int is_for_us(const struct frame* frame, const struct packet* packet) {
    const __u8* station = frame->begin;
    if ((void*)(station + 6) > frame->end) {
        return 0;
    }
    const volatile __u8* own = stem_port_mac[packet->key.direction & 1];
    return (station[0] & 1) /* group address */ ||
           (station[0] == own[0] && station[1] == own[1] && station[2] == own[2] && station[3] == own[3] &&
            station[4] == own[4] && station[5] == own[5]);
}

static __always_inline enum stem_reason reason_of_lookup(long result, enum stem_reason reason) {
    switch (result) {
    case BPF_FIB_LKUP_RET_SUCCESS:
        return reason;
    case BPF_FIB_LKUP_RET_BLACKHOLE:
    case BPF_FIB_LKUP_RET_UNREACHABLE:
    case BPF_FIB_LKUP_RET_PROHIBIT:
        return STEM_NO_ROUTE;
    case BPF_FIB_LKUP_RET_NOT_FWDED:
        return STEM_STACK_LOCAL;
    case BPF_FIB_LKUP_RET_NO_NEIGH:
        return STEM_STACK_NEIGHBOUR;
    case BPF_FIB_LKUP_RET_FRAG_NEEDED:
        return STEM_STACK_FRAGMENTATION;
    default: /* forwarding off, unsupported tunnel, bad argument: the stack knows better */
        return STEM_STACK_ROUTE;
    }
}

static __always_inline void decrement_ttl(struct iphdr* ip) {
    /* RFC 1141: the checksum rises by what the header lost. */
    __u32 checksum = ip->check;
    checksum += STEM_BE16(0x0100);
    ip->check = (__sum16)(checksum + (checksum >= 0xffff));
    ip->ttl--;
}

/* Routes a judged packet: rewrites link addresses and TTL when it may leave by the other port, and gives
 * `reason` back; else says where it goes instead, and leaves the packet as it came. A function of its own,
 * for the verifier's sake. */
__noinline int route(struct xdp_md* context, const struct packet* packet, enum stem_reason reason) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    if (packet->tags) {
        return STEM_STACK_VLAN;
    }
    if (packet->ttl <= 1) {
        return STEM_STACK_TTL;
    }
    struct bpf_fib_lookup fib = {
        .ifindex = context->ingress_ifindex,
        .l4_protocol = packet->key.protocol,
        .tot_len = (__u16)packet->ip_length,
    };
    if (packet->ip_version == 4) {
        fib.family = AF_INET;
        __builtin_memcpy(&fib.ipv4_src, &packet->key.src.octet[12], 4);
        __builtin_memcpy(&fib.ipv4_dst, &packet->key.dst.octet[12], 4);
    } else {
        fib.family = AF_INET6;
        __builtin_memcpy(fib.ipv6_src, packet->key.src.octet, 16);
        __builtin_memcpy(fib.ipv6_dst, packet->key.dst.octet, 16);
    }
    const enum stem_reason verdict = reason_of_lookup(bpf_fib_lookup(context, &fib, sizeof(fib), 0), reason);
    if (verdict != reason) {
        return verdict;
    }
    const __u32 other = packet->key.direction == STEM_INBOUND ? STEM_PORT_INTERNAL : STEM_PORT_EXTERNAL;
    const __u32* egress = bpf_map_lookup_elem(&tx_ports, &other);
    if (!egress || *egress != fib.ifindex) {
        return STEM_STACK_ROUTE;
    }
    struct ethhdr* ethernet = octets_at(context, 0, sizeof(*ethernet) + sizeof(struct iphdr));
    if (!ethernet) {
        return STEM_INTERNAL;
    }
    if (packet->ip_version == 4) {
        decrement_ttl((void*)(ethernet + 1));
    } else {
        struct ipv6hdr* ip = (void*)(ethernet + 1);
        ip->hop_limit--; /* octet 7, which an IPv4 header's room covers */
    }
    __builtin_memcpy(ethernet->h_dest, fib.dmac, 6);
    __builtin_memcpy(ethernet->h_source, fib.smac, 6);
    return reason;
}

/* Readies a packet whose verdict is to go on. Only router mode has something to do. */
static __always_inline enum stem_reason prepare(struct xdp_md* context, const struct packet* packet,
                                                enum stem_reason reason) {
    if (stem_mode != STEM_MODE_ROUTER) {
        return reason;
    }
    return packet->neighbour ? reason : (enum stem_reason)route(context, packet, reason);
}

/* XDP_DROP when the other port is not there. */
static __always_inline int send_to_other_port(const struct packet* packet) {
    const __u32 other = packet->key.direction == STEM_INBOUND ? STEM_PORT_INTERNAL : STEM_PORT_EXTERNAL;
    return (int)bpf_redirect_map(&tx_ports, other, XDP_DROP);
}

/* Not XDP_TX: on a veth the frame would wait in the peer's ring, for whatever comes next, unless the peer has
 * a program of its own (veth_xdp_flush() asks for one, up to Linux 6.18; a redirect does not). */
static __always_inline int send_back(const struct packet* packet) {
    const __u32 same = packet->key.direction == STEM_INBOUND ? STEM_PORT_EXTERNAL : STEM_PORT_INTERNAL;
    return (int)bpf_redirect_map(&tx_ports, same, XDP_DROP);
}

#endif
