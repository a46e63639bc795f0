// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Makes the frames of a flood. Run by BPF_PROG_TEST_RUN with live frames, whose pages come back as the middle
 * left them: so every header is written anew. One CPU runs it; its state is plain globals.
 */
#include "flood_frame.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile __u8 v6 = 0;
/* Network byte order; of IPv4 the last word counts. */
const volatile __be32 source[4];
const volatile __be32 destination[4];
const volatile __be32 source_spread = 0; /* the bits of the source's last word that are random */
/* Host byte order. */
const volatile __u16 source_port = 0; /* 0: random */
const volatile __u16 destination_port = 0;
const volatile __u8 any_port = 0; /* 1: every other frame goes to a random port */
const volatile __u8 station[ETH_ALEN];
const volatile __u8 own_station[ETH_ALEN];
const volatile __u32 constant_sum = 0; /* the checksum's part of what user space wrote */
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
    __be32 source[4];
    __be32 destination[4];
    __be16 source_port;
    __be16 destination_port;
};

static __always_inline struct ends next_ends(__u32 random) {
    const __u32 more = next_random();
    struct ends ends;
    for (int i = 0; i < 4; i++) {
        ends.source[i] = source[i];
        ends.destination[i] = destination[i];
    }
    ends.source[3] ^= random & source_spread;
    ends.source_port = bpf_htons(source_port != 0 ? source_port : (__u16)(1024 + (more & 0x7fff)));
    ends.destination_port =
        bpf_htons(any_port && (made & 1) ? (__u16)(1024 + (more >> 17)) : destination_port);
    return ends;
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

/* Ethernet and IP. Where the segment of `length` octets begins; NULL: the frame is too short. */
static __always_inline void* write_network(struct xdp_md* context, const struct ends* ends, __u8 protocol,
                                           __u16 length) {
    void* end = (void*)(long)context->data_end;
    struct ethhdr* ethernet = (void*)(long)context->data;
    struct iphdr* ip4 = (void*)(ethernet + 1);
    struct ipv6hdr* ip6 = (void*)(ethernet + 1);
    void* segment = v6 ? (void*)(ip6 + 1) : (void*)(ip4 + 1);
    if (segment + length > end) {
        return NULL;
    }
    for (int i = 0; i < ETH_ALEN; i++) {
        ethernet->h_dest[i] = station[i];
        ethernet->h_source[i] = own_station[i];
    }
    ethernet->h_proto = v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
    if (v6) {
        struct ipv6hdr ip = {
            .version = 6, .payload_len = bpf_htons(length), .nexthdr = protocol, .hop_limit = 64};
        __builtin_memcpy(&ip.saddr, ends->source, sizeof(ip.saddr));
        __builtin_memcpy(&ip.daddr, ends->destination, sizeof(ip.daddr));
        *ip6 = ip;
    } else {
        struct iphdr ip = {
            .version = 4,
            .ihl = 5,
            .tot_len = bpf_htons((__u16)(sizeof(ip) + length)),
            .frag_off = bpf_htons(0x4000),
            .ttl = 64,
            .protocol = protocol,
            .saddr = ends->source[3],
            .daddr = ends->destination[3],
        };
        ip.check = (__sum16)~folded(sum_of(&ip, sizeof(ip)));
        *ip4 = ip;
    }
    return segment;
}

/* Of the pseudo-header. */
static __always_inline __u32 pseudo_sum(const struct ends* ends, __u8 protocol, __u16 length) {
    const __u32 rest = (__u32)bpf_htons(protocol) + bpf_htons(length);
    return v6 ? rest + sum_of(ends->source, 16) + sum_of(ends->destination, 16)
              : rest + sum_of(&ends->source[3], 4) + sum_of(&ends->destination[3], 4);
}

/* `sum` is that of what follows the header. */
static __always_inline void write_udp(struct udphdr* place, const struct ends* ends, __u16 length,
                                      __u32 sum) {
    struct udphdr udp = {
        .source = ends->source_port, .dest = ends->destination_port, .len = bpf_htons(length)};
    sum = folded(sum + sum_of(&udp, sizeof(udp)) + pseudo_sum(ends, IPPROTO_UDP, length));
    udp.check = sum == 0xffff ? 0xffff : (__sum16)~sum;
    *place = udp;
}

static __always_inline int send(void) {
    made++;
    return (int)bpf_redirect_map(&way_out, 0, XDP_ABORTED);
}

SEC("xdp")
int flood_syn(struct xdp_md* context) {
    if (!is_due()) {
        return XDP_DROP;
    }
    const __u32 random = next_random();
    const struct ends ends = next_ends(random);
    struct flood_syn* syn = write_network(context, &ends, IPPROTO_TCP, sizeof(*syn));
    if (!syn) {
        return XDP_ABORTED;
    }
    struct tcphdr tcp = {
        .source = ends.source_port,
        .dest = ends.destination_port,
        .seq = random,
        .doff = sizeof(*syn) / 4,
        .syn = 1,
        .window = bpf_htons(64240),
    };
    const __be32 segment_size = bpf_htonl(0x02040000u | 1460u);
    tcp.check = (__sum16)~folded(sum_of(&tcp, sizeof(tcp)) + sum_of(&segment_size, sizeof(segment_size)) +
                                 pseudo_sum(&ends, IPPROTO_TCP, sizeof(*syn)));
    syn->tcp = tcp;
    syn->segment_size = segment_size;
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
    if (!is_due()) {
        return XDP_DROP;
    }
    const struct ends ends = next_ends(next_random());
    struct flood_udp_invite* datagram = write_network(context, &ends, IPPROTO_UDP, sizeof(*datagram));
    if (!datagram) {
        return XDP_ABORTED;
    }
    char mark[FLOOD_MARK] __attribute__((aligned(8)));
    write_mark(mark, (__u32)made);
    __builtin_memcpy(datagram->invite.branch, mark, sizeof(mark));
    __builtin_memcpy(datagram->invite.call_id, mark, sizeof(mark));
    /* Both marks begin at even offsets, see user space. */
    write_udp(&datagram->udp, &ends, sizeof(*datagram), constant_sum + 2 * sum_of(mark, sizeof(mark)));
    return send();
}

SEC("xdp")
int flood_rtp(struct xdp_md* context) {
    if (!is_due()) {
        return XDP_DROP;
    }
    const struct ends ends = next_ends(0);
    struct flood_udp_rtp* datagram = write_network(context, &ends, IPPROTO_UDP, sizeof(*datagram));
    if (!datagram) {
        return XDP_ABORTED;
    }
    const struct flood_rtp_header rtp = {
        .version_flags = 0x80,
        .payload_type = 8, /* PCMA */
        .sequence = bpf_htons((__u16)made),
        .timestamp = bpf_htonl((__u32)made * 160),
        .ssrc = bpf_htonl(0x0bad0bad),
    };
    datagram->rtp.header = rtp;
    write_udp(&datagram->udp, &ends, sizeof(*datagram), constant_sum + sum_of(&rtp, sizeof(rtp)));
    return send();
}
