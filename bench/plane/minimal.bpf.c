// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The least that polices flows: parse Ethernet, IP and UDP, one hash lookup, one token bucket, redirect. No
 * other check, no counter. And what knows no flow at all: bare drop and bare redirect.
 */
#include "minimal.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

/* Size and flags are set by user space to those of STEM's own map. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct minimal_key_v4);
    __type(value, struct minimal_flow);
} flows_v4 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, struct minimal_key_v6);
    __type(value, struct minimal_flow);
} flows_v6 SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} way_out SEC(".maps");

static __always_inline int police_and_forward(struct minimal_flow* flow, __u32 length) {
    const __u64 now = bpf_ktime_get_coarse_ns();
    const __u64 base = flow->full_at_ns > now ? flow->full_at_ns : now;
    const __u64 cost = ((__u64)length * flow->ns_per_kib) >> 10;
    if (base + cost > now + flow->burst_ns) {
        return XDP_DROP;
    }
    flow->full_at_ns = base + cost;
    return (int)bpf_redirect_map(&way_out, 0, XDP_ABORTED);
}

SEC("xdp")
int minimal_v4(struct xdp_md* context) {
    void* end = (void*)(long)context->data_end;
    struct ethhdr* ethernet = (void*)(long)context->data;
    struct iphdr* ip = (void*)(ethernet + 1);
    struct udphdr* udp = (void*)(ip + 1);
    if ((void*)(udp + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 ||
        ip->protocol != IPPROTO_UDP) {
        return XDP_DROP;
    }
    const struct minimal_key_v4 key = {ip->saddr, ip->daddr, udp->source, udp->dest};
    struct minimal_flow* flow = bpf_map_lookup_elem(&flows_v4, &key);
    return flow ? police_and_forward(flow, bpf_ntohs(ip->tot_len)) : XDP_DROP;
}

SEC("xdp")
int minimal_v6(struct xdp_md* context) {
    void* end = (void*)(long)context->data_end;
    struct ethhdr* ethernet = (void*)(long)context->data;
    struct ipv6hdr* ip = (void*)(ethernet + 1);
    struct udphdr* udp = (void*)(ip + 1);
    if ((void*)(udp + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IPV6) || ip->nexthdr != IPPROTO_UDP) {
        return XDP_DROP;
    }
    struct minimal_key_v6 key = {.source_port = udp->source, .destination_port = udp->dest};
    __builtin_memcpy(key.source, &ip->saddr, sizeof(key.source));
    __builtin_memcpy(key.destination, &ip->daddr, sizeof(key.destination));
    struct minimal_flow* flow = bpf_map_lookup_elem(&flows_v6, &key);
    return flow ? police_and_forward(flow, bpf_ntohs(ip->payload_len) + (__u32)sizeof(*ip)) : XDP_DROP;
}

SEC("xdp")
int bare_drop(struct xdp_md* context) {
    (void)context;
    return XDP_DROP;
}

SEC("xdp")
int bare_redirect(struct xdp_md* context) {
    (void)context;
    return (int)bpf_redirect_map(&way_out, 0, XDP_ABORTED);
}
