/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Proof of a TCP source, by the kernel's SYN cookies (bpf_tcp_raw_*_syncookie_*, Linux 6.0). STEM is no end
 * of the connection and cannot choose its sequence numbers; so a SYN under suspicion is answered with a
 * SYN-ACK that acknowledges a cookie instead of the SYN. A host that did send the SYN answers with a RST that
 * carries the cookie and goes on trying (RFC 9293 3.10.7.3, SYN-SENT); Linux does so at once. A spoofed
 * source sends no such RST. The RST is taken in, its source is let through for a time.
 *
 * The cookie is made over addresses and ports, with 0 in the place of the client's sequence number, which a
 * RST does not show. The kernel ages it: it holds for one to two minutes.
 *
 * Writes syn_proven, an LRU table: only who has received a packet at its address gets into it.
 */
#ifndef STEM_BPF_PROOF_H
#define STEM_BPF_PROOF_H

#include "clock.h"
#include "maps.h"
#include "octets.h"
#include "settings.h"
#include "syn_count.h"
#include "threshold.h"

static __always_inline int is_proven(const struct stem_addr* source, __u64 now) {
    if (!(stem_modules & STEM_MODULE_SYN_COOKIE)) {
        return 0;
    }
    const struct stem_addr key = *source; /* on the stack, as Linux 6.1 wants its keys */
    const __u64* until = bpf_map_lookup_elem(&syn_proven, &key);
    return until && *until > now;
}

/* Options and extension headers would have to be answered in kind: who has them takes the unknown's lane. */
static __always_inline int can_be_challenged(const struct packet* packet) {
    const __u16 header = packet->l4_offset - packet->l3_offset;
    return packet->ip_version == 4 ? header == sizeof(struct iphdr) : header == sizeof(struct ipv6hdr);
}

/* TCP as the helpers read it. */
static __always_inline void bare_tcp(struct tcphdr* tcp, __u16 client_port, __u16 server_port) {
    __builtin_memset(tcp, 0, sizeof(*tcp));
    tcp->source = __builtin_bswap16(client_port);
    tcp->dest = __builtin_bswap16(server_port);
    tcp->doff = sizeof(*tcp) / 4;
}

static __always_inline __u32 be32_of(const __u8* octets) {
    __u32 word;
    __builtin_memcpy(&word, octets, sizeof(word));
    return word;
}

static __always_inline __s64 make_cookie(const struct packet* packet) {
    struct tcphdr tcp;
    bare_tcp(&tcp, packet->key.sport, packet->key.dport);
    if (packet->ip_version == 4) {
        struct iphdr ip = {.version = 4,
                           .ihl = 5,
                           .saddr = be32_of(&packet->key.src.octet[12]),
                           .daddr = be32_of(&packet->key.dst.octet[12])};
        return bpf_tcp_raw_gen_syncookie_ipv4(&ip, &tcp, sizeof(tcp));
    }
    struct ipv6hdr ip = {.version = 6};
    __builtin_memcpy(&ip.saddr, packet->key.src.octet, 16);
    __builtin_memcpy(&ip.daddr, packet->key.dst.octet, 16);
    return bpf_tcp_raw_gen_syncookie_ipv6(&ip, &tcp, sizeof(tcp));
}

/* 0: the RST's sequence number is the cookie of its 4-tuple. */
static __always_inline long check_cookie(const struct packet* packet, __u32 sequence) {
    struct tcphdr tcp;
    bare_tcp(&tcp, packet->key.sport, packet->key.dport);
    tcp.seq = __builtin_bswap32(1); /* the helpers take one off both */
    tcp.ack_seq = __builtin_bswap32(sequence + 1);
    if (packet->ip_version == 4) {
        struct iphdr ip = {.version = 4,
                           .ihl = 5,
                           .saddr = be32_of(&packet->key.src.octet[12]),
                           .daddr = be32_of(&packet->key.dst.octet[12])};
        return bpf_tcp_raw_check_syncookie_ipv4(&ip, &tcp);
    }
    struct ipv6hdr ip = {.version = 6};
    __builtin_memcpy(&ip.saddr, packet->key.src.octet, 16);
    __builtin_memcpy(&ip.daddr, packet->key.dst.octet, 16);
    return bpf_tcp_raw_check_syncookie_ipv6(&ip, &tcp);
}

/* A RST from outside: STEM_SYN_PROVEN if it answers a cookie, else STEM_CONTINUE. */
__noinline int take_proof(struct xdp_md* context, const struct packet* packet,
                          const struct stem_thresholds* limits, __u64 now) {
    if (!packet || !limits || !(stem_modules & STEM_MODULE_SYN_COOKIE)) {
        return STEM_CONTINUE;
    }
    const struct tcphdr* tcp = octets_at(context, packet->l4_offset, sizeof(*tcp));
    if (!tcp || check_cookie(packet, __builtin_bswap32(tcp->seq)) != 0) {
        return STEM_CONTINUE;
    }
    const __u64 until = now + limits->syn_proven_seconds * 1000000000ull;
    const struct stem_addr source = packet->key.src;
    bpf_map_update_elem(&syn_proven, &source, &until, BPF_ANY);
    count_syn(STEM_SYN_COUNT_PROOF);
    return STEM_SYN_PROVEN;
}

#define TCP_WORDS_MAX 15 /* of 4 octets: the longest header */

static __always_inline __u16 checksum_of(__u64 sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16)~sum;
}

/* Sum of the addresses of the packet, of protocol and length: TCP's pseudo-header (RFC 9293 3.1). */
static __always_inline __u64 pseudo_header(const struct packet* packet, __u16 length) {
    __u64 sum = STEM_BE16(IPPROTO_TCP) + (__u64)__builtin_bswap16(length);
    for (__u32 i = packet->ip_version == 4 ? 12 : 0; i < 16; i += 4) {
        sum += (__u64)be32_of(&packet->key.src.octet[i & 15]) + be32_of(&packet->key.dst.octet[i & 15]);
    }
    return sum;
}

/* The SYN becomes the SYN-ACK in place: options are blanked (0 ends the list), data is cut off. */
static __always_inline int turn_tcp(struct xdp_md* context, const struct packet* packet, __u32 cookie) {
    struct tcphdr* tcp = octets_at(context, packet->l4_offset, sizeof(*tcp));
    if (!tcp) {
        return -1;
    }
    const __u32 length = (__u32)tcp->doff * 4;
    const __be16 client = tcp->source;
    tcp->source = tcp->dest;
    tcp->dest = client;
    tcp->ack_seq = __builtin_bswap32(cookie);
    tcp->seq = 0; /* of no meaning: the client throws it away */
    ((__u8*)tcp)[13] = TCP_SYN | TCP_ACK;
    tcp->window = 0;
    tcp->urg_ptr = 0;
    tcp->check = 0;
    __u64 sum = pseudo_header(packet, (__u16)length);
    for (__u32 i = 0; i < TCP_WORDS_MAX; i++) {
        if (i * 4 >= length) {
            break;
        }
        __u32* word = octets_at(context, packet->l4_offset + i * 4, sizeof(*word));
        if (!word) {
            return -1;
        }
        if (i >= 5) {
            *word = 0;
        }
        sum += *word;
    }
    tcp = octets_at(context, packet->l4_offset, sizeof(*tcp));
    if (!tcp) {
        return -1;
    }
    tcp->check = checksum_of(sum);
    return (int)length;
}

static __always_inline int turn_ip(struct xdp_md* context, const struct packet* packet, __u32 tcp_length) {
    if (packet->ip_version == 4) {
        struct iphdr* ip = octets_at(context, packet->l3_offset, sizeof(*ip));
        if (!ip) {
            return -1;
        }
        const __be32 client = ip->saddr;
        ip->saddr = ip->daddr;
        ip->daddr = client;
        ip->tot_len = __builtin_bswap16((__u16)(sizeof(*ip) + tcp_length));
        ip->ttl = 64;
        ip->check = 0;
        __u64 sum = 0;
        for (__u32 i = 0; i < sizeof(*ip) / 4; i++) {
            sum += ((const __u32*)ip)[i];
        }
        ip->check = checksum_of(sum);
        return 0;
    }
    struct ipv6hdr* ip = octets_at(context, packet->l3_offset, sizeof(*ip));
    if (!ip) {
        return -1;
    }
    const struct in6_addr client = ip->saddr;
    ip->saddr = ip->daddr;
    ip->daddr = client;
    ip->payload_len = __builtin_bswap16((__u16)tcp_length);
    ip->hop_limit = 64;
    return 0;
}

/* Turns the SYN around, to leave by the port that it came in by. 0 = done. */
__noinline int answer_with_cookie(struct xdp_md* context, const struct packet* packet) {
    if (!packet || !(stem_modules & STEM_MODULE_SYN_COOKIE)) {
        return -1;
    }
    const __s64 cookie = make_cookie(packet);
    if (cookie < 0) {
        return -1;
    }
    const int length = turn_tcp(context, packet, (__u32)cookie);
    if (length < 0 || turn_ip(context, packet, (__u32)length) != 0) {
        return -1;
    }
    struct ethhdr* ethernet = octets_at(context, 0, sizeof(*ethernet));
    if (!ethernet) {
        return -1;
    }
    __u8 client[6];
    __builtin_memcpy(client, ethernet->h_source, 6);
    __builtin_memcpy(ethernet->h_source, ethernet->h_dest, 6);
    __builtin_memcpy(ethernet->h_dest, client, 6);
    count_syn(STEM_SYN_COUNT_CHALLENGE);
    return 0;
}

#endif
