/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A packet as the stages see it: what the parser found, and where. Lives on the stack of one run.
 *
 * Two structs, as the verifier sees two kinds of stages. The fast path is inline and keeps pointers (struct
 * frame). What is behind it are global functions, which the verifier checks once each, with any packet: they
 * are given numbers only (struct packet) and make their pointers anew, with octets_at().
 */
#ifndef STEM_BPF_PACKET_H
#define STEM_BPF_PACKET_H

#include <stem/abi/flow.h>
#include <stem/abi/reason.h>

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define STEM_ALWAYS_INLINE static inline __attribute__((always_inline))

#define STEM_BE16(constant) ((__be16)__builtin_bswap16(constant))

STEM_ALWAYS_INLINE __u16 from_be16(__be16 value) {
    return __builtin_bswap16((__u16)value);
}

struct frame {
    void* begin;
    void* end;
    void* l3;
    void* payload; /* of UDP; else NULL */
};

struct packet {
    struct stem_flow_key key; /* addresses, ports and direction; zero where the packet has none */

    __u32 frame_length;   /* octets */
    __u32 ip_length;      /* octets from the IP header to the end the header states */
    __u16 payload_length; /* of UDP, as its header says */
    __u16 l3_offset;      /* octets from the frame's start */
    __u16 l4_offset;      /* 0: a later fragment, or a protocol without ports that STEM knows */
    __u16 payload_offset; /* of UDP and TCP; 0 = none, or a fragment */
    __u16 vlan;           /* outer id, 0 = untagged; the inner one behind a priority tag */
    __u8 tags;            /* VLAN tags */
    __u8 ip_version;      /* 4, 6, 0 */
    __u8 fragment;        /* 1: any fragment, the first too */
    __u8 icmp_type;       /* of ICMP and ICMPv6 */
    __u8 tcp_flags;       /* as on the wire: enum tcp_flag */
    __u8 neighbour;       /* 1: ARP or neighbour discovery */
    __u8 ttl;
    __u8 proxied;         /* 1: between a client and the SIP proxy, and stemd is to change its address */
    __u8 after;           /* enum after_verdict */
    __u8 lane;            /* enum stem_sip_lane: of what goes to stemd */
    __u16 rule;           /* the static rule that decided or logs, from 1; 0 = none. For events. */
    __u32 generation;     /* of the rules: the low 32 bits */
    __u8 odd;             /* 1: IPv4 options or IPv6 extension headers, to be looked into (form.h) */
    __u8 fragment_more;   /* 1: others follow */
    __u16 fragment_start; /* of a fragment: its place in the datagram, in 8 octets; 0 = the first */
    __u16 fragment_size;  /* of a fragment: octets of the datagram that it carries */
    __u32 fragment_id;    /* as on the wire */
    __u16 inner_vlan;     /* inner id, 0 = less than two tags */
    /*
     * Always 0, and in a global function unknown to the verifier: what a bpf_loop() callback changes and
     * reads starts from it. Linux before 6.7 follows a callback only once, as if what it starts from were so
     * in each round, and takes out the branches that are then never reached (mended by its commit
     * ab5cfac139ab).
     */
    __u64 unknown_zero;
};

/* What a stage leaves to be done once it has given its verdict: one function call less deep in the stack. */
enum after_verdict {
    AFTER_NOTHING = 0,
    AFTER_KEEP_STATE,     /* the rule that passed it lets its answers back */
    AFTER_SIP_STEERED,    /* SIP for stemd: the proxy's, if there is one */
    AFTER_SIP_PASSES,     /* the same over UDP, but it leaves without stemd */
    AFTER_SIP_CONNECTION, /* the same over TCP */
};

enum tcp_flag {
    TCP_FIN = 1 << 0,
    TCP_SYN = 1 << 1,
    TCP_RST = 1 << 2,
    TCP_PSH = 1 << 3,
    TCP_ACK = 1 << 4,
    TCP_URG = 1 << 5,
};

#endif
