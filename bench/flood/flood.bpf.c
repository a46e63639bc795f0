// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Makes the frames of a flood. Run by BPF_PROG_TEST_RUN with live frames, whose pages come back as the middle
 * left them: so every header is written anew. One CPU runs it; its state is plain globals.
 */
#include "flood_frame.h"

#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

/* Addresses and ports in host byte order. */
const volatile __u32 source = 0;
const volatile __u32 source_spread = 0; /* the bits of the source that are random */
const volatile __u32 destination = 0;
const volatile __u16 source_port = 0; /* 0: random */
const volatile __u16 destination_port = 0;
const volatile __u8 any_port = 0; /* 1: every other frame goes to a random port */
const volatile __u8 station[ETH_ALEN];
const volatile __u8 own_station[ETH_ALEN];
const volatile __u64 ns_per_frame = 0; /* 0: as fast as it goes */

__u8 halted = 0; /* written by user space: what the kernel still owes of a run is not sent */
__u64 made = 0;
__u64 next_at_ns = 0;
__u64 randomness = 0x9e3779b97f4a7c15ull;

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} way_out SEC(".maps");

/* After a pause of the generator so much is caught up. */
#define CATCH_UP_NS 1000000ull

/* Frames that come too early are not sent: that paces smoothly, where runs with pauses would come in bursts.
 */
static __always_inline int is_due(void) {
    if (*(volatile __u8*)&halted) {
        return 0;
    }
    if (ns_per_frame == 0) {
        return 1;
    }
    const __u64 now = bpf_ktime_get_ns();
    if (next_at_ns > now) {
        return 0;
    }
    if (next_at_ns + CATCH_UP_NS < now) {
        next_at_ns = now - CATCH_UP_NS;
    }
    next_at_ns += ns_per_frame;
    return 1;
}

/* xorshift64 */
static __always_inline __u32 next_random(void) {
    __u64 x = randomness;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    randomness = x;
    return (__u32)(x >> 32);
}

struct ends {
    __be32 source;
    __be32 destination;
    __be16 source_port;
    __be16 destination_port;
};

static __always_inline struct ends next_ends(__u32 random) {
    const __u32 more = next_random();
    const __u16 to = any_port && (made & 1) ? (__u16)(1024 + (more >> 17)) : destination_port;
    return (struct ends){
        .source = bpf_htonl(source ^ (random & source_spread)),
        .destination = bpf_htonl(destination),
        .source_port = bpf_htons(source_port != 0 ? source_port : (__u16)(1024 + (more & 0x7fff))),
        .destination_port = bpf_htons(to),
    };
}

static __always_inline void write_ethernet(struct ethhdr* ethernet) {
    for (int i = 0; i < ETH_ALEN; i++) {
        ethernet->h_dest[i] = station[i];
        ethernet->h_source[i] = own_station[i];
    }
    ethernet->h_proto = bpf_htons(ETH_P_IP);
}

static __always_inline __u32 folded(__u32 sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u32 sum_of(const void* data, unsigned octets) {
    const __u16* word = data;
    __u32 sum = 0;
    for (unsigned i = 0; i < octets / 2; i++) {
        sum += word[i];
    }
    return sum;
}

static __always_inline void write_ip(struct iphdr* place, const struct ends* ends, __u8 protocol,
                                     __u16 payload) {
    struct iphdr ip = {
        .version = 4,
        .ihl = 5,
        .tot_len = bpf_htons((__u16)(sizeof(ip) + payload)),
        .frag_off = bpf_htons(0x4000),
        .ttl = 64,
        .protocol = protocol,
        .saddr = ends->source,
        .daddr = ends->destination,
    };
    ip.check = (__sum16)~folded(sum_of(&ip, sizeof(ip)));
    *place = ip;
}

static __always_inline void write_headers(struct flood_udp_headers* headers, const struct ends* ends,
                                          __u16 payload) {
    write_ethernet(&headers->ethernet);
    write_ip(&headers->ip, ends, IPPROTO_UDP, (__u16)(sizeof(headers->udp) + payload));
    headers->udp.source = ends->source_port;
    headers->udp.dest = ends->destination_port;
    headers->udp.len = bpf_htons((__u16)(sizeof(headers->udp) + payload));
    headers->udp.check = 0; /* none: spares the peer that would verify it */
}

static __always_inline int send(void) {
    made++;
    return (int)bpf_redirect_map(&way_out, 0, XDP_ABORTED);
}

SEC("xdp")
int flood_syn(struct xdp_md* context) {
    struct flood_syn_frame* frame = (void*)(long)context->data;
    if ((void*)(frame + 1) > (void*)(long)context->data_end) {
        return XDP_ABORTED;
    }
    if (!is_due()) {
        return XDP_DROP;
    }
    const __u32 random = next_random();
    const struct ends ends = next_ends(random);
    write_ethernet(&frame->ethernet);
    const __u16 length = sizeof(frame->tcp) + sizeof(frame->segment_size);
    write_ip(&frame->ip, &ends, IPPROTO_TCP, length);
    struct tcphdr tcp = {
        .source = ends.source_port,
        .dest = ends.destination_port,
        .seq = random,
        .doff = length / 4,
        .syn = 1,
        .window = bpf_htons(64240),
    };
    const __be32 segment_size = bpf_htonl(0x02040000u | 1460u);
    __u32 sum = sum_of(&tcp, sizeof(tcp)) + sum_of(&segment_size, sizeof(segment_size)) +
                sum_of(&ends.source, sizeof(ends.source)) +
                sum_of(&ends.destination, sizeof(ends.destination)) + bpf_htons(IPPROTO_TCP) +
                bpf_htons(length);
    tcp.check = (__sum16)~folded(sum);
    frame->tcp = tcp;
    frame->segment_size = segment_size;
    return send();
}

static __always_inline void write_mark(char* mark, __u32 number) {
    for (int i = 0; i < FLOOD_MARK; i++) {
        const __u32 digit = number >> (28 - 4 * i) & 0xf;
        mark[i] = (char)(digit + (digit < 10 ? '0' : 'a' - 10));
    }
}

SEC("xdp")
int flood_invite(struct xdp_md* context) {
    struct flood_invite_frame* frame = (void*)(long)context->data;
    if ((void*)(frame + 1) > (void*)(long)context->data_end) {
        return XDP_ABORTED;
    }
    if (!is_due()) {
        return XDP_DROP;
    }
    const struct ends ends = next_ends(next_random());
    write_headers(&frame->headers, &ends, sizeof(frame->invite));
    write_mark(frame->invite.branch, (__u32)made);
    write_mark(frame->invite.call_id, (__u32)made);
    return send();
}

SEC("xdp")
int flood_rtp(struct xdp_md* context) {
    struct flood_rtp_frame* frame = (void*)(long)context->data;
    if ((void*)(frame + 1) > (void*)(long)context->data_end) {
        return XDP_ABORTED;
    }
    if (!is_due()) {
        return XDP_DROP;
    }
    const struct ends ends = next_ends(0);
    write_headers(&frame->headers, &ends, sizeof(frame->rtp));
    frame->rtp.version_flags = 0x80;
    frame->rtp.payload_type = 8; /* PCMA */
    frame->rtp.sequence = bpf_htons((__u16)made);
    frame->rtp.timestamp = bpf_htonl((__u32)made * 160);
    frame->rtp.ssrc = bpf_htonl(0x0bad0bad);
    return send();
}
