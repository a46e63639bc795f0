// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Makes RTP packets of many streams in turn. Run by BPF_PROG_TEST_RUN with live frames, whose pages come back
 * as the middle left them: so every header is written anew. One CPU runs it; its state is plain globals.
 */
#include "flow_mix.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 flow_count = 1;
const volatile __u32 stride = 1; /* from one stream to the next; coprime to flow_count */
const volatile __u8 reverse = 0; /* 1: the answering direction */
const volatile __u8 station[ETH_ALEN];

__u32 stream_number = 0;
__u32 packet_number = 0;
__u32 round_left = 0; /* streams that have not sent their packet of this round */
__u32 round_number = 0;

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} way_out SEC(".maps");

struct rtp {
    __u8 version_flags;
    __u8 payload_type;
    __be16 sequence;
    __be32 timestamp;
    __be32 ssrc;
};

struct frame_v4 {
    struct ethhdr ethernet;
    struct iphdr ip;
    struct udphdr udp;
    struct rtp rtp;
} __attribute__((packed));

struct frame_v6 {
    struct ethhdr ethernet;
    struct ipv6hdr ip;
    struct udphdr udp;
    struct rtp rtp;
} __attribute__((packed));

static __always_inline struct bench_stream next_stream(void) {
    __u32 next = stream_number + stride;
    next -= next >= flow_count ? flow_count : 0;
    stream_number = next;
    packet_number++;
    if (round_left == 0) {
        round_left = flow_count;
        round_number++;
    }
    round_left--;
    const struct bench_stream stream = bench_stream_of(next);
    if (!reverse) {
        return stream;
    }
    return (struct bench_stream){stream.destination, stream.source, stream.destination_port,
                                 stream.source_port};
}

static __always_inline void write_ethernet(struct ethhdr* ethernet, __u16 protocol) {
    for (int i = 0; i < ETH_ALEN; i++) {
        ethernet->h_dest[i] = station[i];
    }
    ethernet->h_source[0] = 2;
    __builtin_memset(ethernet->h_source + 1, 0, ETH_ALEN - 1);
    ethernet->h_proto = bpf_htons(protocol);
}

static __always_inline void write_udp(struct udphdr* udp, const struct bench_stream* stream) {
    udp->source = bpf_htons(stream->source_port);
    udp->dest = bpf_htons(stream->destination_port);
    udp->len = bpf_htons(sizeof(*udp) + BENCH_RTP_PAYLOAD);
    udp->check = 0; /* none: spares the peer that would verify it; IPv6 must have one */
}

static __always_inline void write_rtp(struct rtp* rtp) {
    rtp->version_flags = 0x80;
    rtp->payload_type = 0;
    rtp->sequence = bpf_htons((__u16)round_number);
    rtp->timestamp = bpf_htonl(round_number * 160);
    rtp->ssrc = bpf_htonl(stream_number);
}

static __always_inline __u32 sum_of(const void* octets, unsigned count) {
    const __u16* word = octets;
    __u32 sum = 0;
    for (unsigned i = 0; i < count / 2; i++) {
        sum += word[i];
    }
    return sum;
}

static __always_inline __sum16 ipv4_checksum(const struct iphdr* ip) {
    __u32 sum = sum_of(ip, sizeof(*ip));
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__sum16)~sum;
}

SEC("xdp")
int generate_v4(struct xdp_md* context) {
    struct frame_v4* frame = (void*)(long)context->data;
    if ((void*)(frame + 1) > (void*)(long)context->data_end) {
        return XDP_ABORTED;
    }
    const struct bench_stream stream = next_stream();
    write_ethernet(&frame->ethernet, ETH_P_IP);
    struct iphdr ip = {
        .version = 4,
        .ihl = 5,
        .tos = 0xb8, /* expedited forwarding */
        .tot_len = bpf_htons(sizeof(struct iphdr) + sizeof(struct udphdr) + BENCH_RTP_PAYLOAD),
        .frag_off = bpf_htons(0x4000),
        .ttl = 64,
        .protocol = IPPROTO_UDP,
        .saddr = bpf_htonl(stream.source),
        .daddr = bpf_htonl(stream.destination),
    };
    ip.check = ipv4_checksum(&ip);
    frame->ip = ip;
    write_udp(&frame->udp, &stream);
    write_rtp(&frame->rtp);
    return (int)bpf_redirect_map(&way_out, 0, XDP_ABORTED);
}

static __always_inline void write_v6_address(struct in6_addr* address, __u32 host) {
    const __u32 inside = (host & 0xffff0000u) == BENCH_V4_DESTINATION;
    address->s6_addr32[0] = bpf_htonl(BENCH_V6_HIGH);
    address->s6_addr32[1] = bpf_htonl(inside ? BENCH_V6_DESTINATION_LOW : BENCH_V6_SOURCE_LOW);
    address->s6_addr32[2] = 0;
    address->s6_addr32[3] = bpf_htonl(host);
}

/* RFC 8200 8.1. The payload behind the RTP header is zeros. */
static __always_inline __sum16 udp_checksum(const struct ipv6hdr* ip, const struct udphdr* udp,
                                            const struct rtp* rtp) {
    __u32 sum = sum_of(&ip->saddr, 32) + udp->len + bpf_htons(IPPROTO_UDP) + sum_of(udp, sizeof(*udp)) +
                sum_of(rtp, sizeof(*rtp));
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff ? 0xffff : (__sum16)~sum;
}

SEC("xdp")
int generate_v6(struct xdp_md* context) {
    struct frame_v6* frame = (void*)(long)context->data;
    if ((void*)(frame + 1) > (void*)(long)context->data_end) {
        return XDP_ABORTED;
    }
    const struct bench_stream stream = next_stream();
    write_ethernet(&frame->ethernet, ETH_P_IPV6);
    struct ipv6hdr ip = {
        .version = 6,
        .payload_len = bpf_htons(sizeof(struct udphdr) + BENCH_RTP_PAYLOAD),
        .nexthdr = IPPROTO_UDP,
        .hop_limit = 64,
    };
    write_v6_address(&ip.saddr, stream.source);
    write_v6_address(&ip.daddr, stream.destination);
    struct udphdr udp;
    struct rtp rtp;
    write_udp(&udp, &stream);
    write_rtp(&rtp);
    udp.check = udp_checksum(&ip, &udp, &rtp);
    frame->ip = ip;
    frame->udp = udp;
    frame->rtp = rtp;
    return (int)bpf_redirect_map(&way_out, 0, XDP_ABORTED);
}
