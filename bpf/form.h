/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Would an honest station send this? The parser can read the packet; here it is looked into where it could
 * mean something else to the host that gets it, or to one on the way: options, source routes, addresses that
 * cannot be, flags that no stack sends. See docs/decisions/0009.
 *
 * Owns no maps. What carries options or extension headers is looked at before any stage may let it go on; the
 * rest only off the fast path: an open pinhole names both addresses itself. Costs some 20 ns, options more.
 * Includes nothing of BPF but octets_at() and bpf_loop(), so that user space can compile the same lines.
 */
#ifndef STEM_BPF_FORM_H
#define STEM_BPF_FORM_H

#include "address_kind.h"
#include "octets.h"
#include "packet.h"

#define STEM_IPV4_OPTION_STEPS 40 /* octets that options can have */
#define STEM_IPV6_OPTION_STEPS 64 /* options and headers together; hosts give up sooner (RFC 8504 5.3) */

enum ipv4_option { /* RFC 791 3.1, RFC 2113 */
                   IPV4_OPTION_END = 0,
                   IPV4_OPTION_NOTHING = 1,
                   IPV4_OPTION_LOOSE_ROUTE = 131,
                   IPV4_OPTION_STRICT_ROUTE = 137,
                   IPV4_OPTION_ROUTER_ALERT = 148,
};

enum ipv6_option { /* RFC 8200 4.2, RFC 2675 2, RFC 6275 6.3 */
                   IPV6_OPTION_PAD1 = 0x00,
                   IPV6_OPTION_JUMBO = 0xc2,
                   IPV6_OPTION_HOME_ADDRESS = 0xc9,
};

struct option_walk {
    struct xdp_md* context;
    __u32 at;
    __u32 end;         /* of the packet */
    __u32 options_end; /* IPv6: of the header whose options are walked; at or behind it, a header follows */
    __u8 next;         /* IPv6: the header that follows */
    __u8 done;
    __u16 reason;
};

static inline long stop_walk(struct option_walk* walk, enum stem_reason reason) {
    walk->reason = (__u16)reason;
    walk->done = 1;
    return 1;
}

static long ipv4_option_step(__u32 index, void* data) {
    (void)index;
    struct option_walk* walk = (struct option_walk*)data;
    if (walk->at >= walk->end) {
        return stop_walk(walk, STEM_CONTINUE);
    }
    const __u8* option = octets_at(walk->context, walk->at, 1);
    if (!option) {
        return stop_walk(walk, STEM_IPV4_OPTION);
    }
    const __u8 type = option[0];
    if (type == IPV4_OPTION_NOTHING) {
        walk->at++;
        return 0;
    }
    if (type == IPV4_OPTION_END) {
        return stop_walk(walk, STEM_CONTINUE);
    }
    if (type == IPV4_OPTION_LOOSE_ROUTE || type == IPV4_OPTION_STRICT_ROUTE) {
        return stop_walk(walk, STEM_SOURCE_ROUTE);
    }
    option = octets_at(walk->context, walk->at, 4);
    if (type != IPV4_OPTION_ROUTER_ALERT || !option || option[1] != 4 || walk->at + 4 > walk->end) {
        return stop_walk(walk, STEM_IPV4_OPTION);
    }
    walk->at += 4;
    return 0;
}

static inline long ipv6_header_step(struct option_walk* walk) {
    const __u8* header = octets_at(walk->context, walk->at, 4);
    switch (walk->next) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_DSTOPTS:
        if (!header) {
            break;
        }
        walk->next = header[0];
        walk->options_end = walk->at + (header[1] + 1u) * 8;
        walk->at += 2;
        return 0;
    case IPPROTO_ROUTING:
        if (!header) {
            break;
        }
        walk->next = header[0];
        walk->at += (header[1] + 1u) * 8;
        return 0;
    case IPPROTO_AH:
        if (!header) {
            break;
        }
        walk->next = header[0];
        walk->at += (header[1] + 2u) * 4;
        return 0;
    case IPPROTO_FRAGMENT:
        if (!header) {
            break;
        }
        if (header[2] != 0 || (header[3] & 0xf8) != 0) { /* a later fragment: data follows */
            return stop_walk(walk, STEM_CONTINUE);
        }
        walk->next = header[0];
        walk->at += 8;
        return 0;
    default:
        return stop_walk(walk, STEM_CONTINUE);
    }
    return stop_walk(walk, STEM_IPV6_EXTENSION);
}

static long ipv6_option_step(__u32 index, void* data) {
    (void)index;
    struct option_walk* walk = (struct option_walk*)data;
    if (walk->at >= walk->options_end) {
        return ipv6_header_step(walk);
    }
    const __u8* option = octets_at(walk->context, walk->at, 1);
    if (option && option[0] == IPV6_OPTION_PAD1) {
        walk->at++;
        return 0;
    }
    option = octets_at(walk->context, walk->at, 2);
    if (!option || walk->at + 2 + option[1] > walk->options_end || option[0] == IPV6_OPTION_JUMBO) {
        return stop_walk(walk, STEM_IPV6_EXTENSION);
    }
    if (option[0] == IPV6_OPTION_HOME_ADDRESS) {
        return stop_walk(walk, STEM_SOURCE_ROUTE);
    }
    walk->at += 2u + option[1];
    return 0;
}

/* What is in the options, without which the packet would not be odd. */
static inline enum stem_reason check_options(struct xdp_md* context, const struct packet* packet) {
    const __u32 l3 = packet->l3_offset;
    const __u8* ip = octets_at(context, l3, sizeof(struct iphdr));
    if (!ip) {
        return STEM_INTERNAL;
    }
    struct option_walk walk = {
        .context = context,
        .at = l3 + (__u32)sizeof(struct iphdr) + (__u32)packet->unknown_zero,
        .end = l3 + (ip[0] & 0x0fu) * 4,
        .options_end = (__u32)packet->unknown_zero,
        .reason = STEM_CONTINUE,
    };
    if (packet->ip_version == 4) {
        bpf_loop(STEM_IPV4_OPTION_STEPS + 1, ipv4_option_step, &walk, 0);
        return walk.done ? (enum stem_reason)walk.reason : STEM_IPV4_OPTION;
    }
    walk.next = ip[6];
    walk.at = l3 + (__u32)sizeof(struct ipv6hdr) + (__u32)packet->unknown_zero;
    walk.end = l3 + packet->ip_length;
    bpf_loop(STEM_IPV6_OPTION_STEPS, ipv6_option_step, &walk, 0);
    return walk.done ? (enum stem_reason)walk.reason : STEM_IPV6_EXTENSION;
}

struct checksum_walk {
    struct xdp_md* context;
    __u32 at;
    __u32 sum;
};

static long checksum_step(__u32 index, void* data) {
    struct checksum_walk* walk = (struct checksum_walk*)data;
    const __be16* word = octets_at(walk->context, walk->at + index * 4, 4);
    if (!word) {
        return 1;
    }
    walk->sum += (__u32)word[0] + word[1];
    return 0;
}

/* RFC 1071. The transport's checksum is not ours to judge: where a local or virtual sender leaves it to the
 * card, it is only begun. The header's is never left. */
static inline int ipv4_checksum_holds(struct xdp_md* context, const struct packet* packet) {
    const __be16* word = octets_at(context, packet->l3_offset, sizeof(struct iphdr));
    if (!word) {
        return 0;
    }
    struct checksum_walk walk = {
        .context = context,
        .at = packet->l3_offset + (__u32)sizeof(struct iphdr),
        .sum = (__u32)word[0] + word[1] + word[2] + word[3] + word[4] + word[5] + word[6] + word[7] +
               word[8] + word[9] + (__u32)packet->unknown_zero,
    };
    const __u32 words = *(const __u8*)word & 0x0fu;
    if (words > 5) {
        bpf_loop(words - 5, checksum_step, &walk, 0);
    }
    const __u32 sum = (walk.sum & 0xffff) + (walk.sum >> 16);
    return ((sum + (sum >> 16)) & 0xffff) == 0xffff;
}

static inline enum stem_reason check_transport(const struct xdp_md* context, const struct packet* packet) {
    const __u8 protocol = packet->key.protocol;
    if (packet->l4_offset == 0) {
        return STEM_CONTINUE;
    }
    if (protocol == IPPROTO_TCP) {
        /* Every segment but the first carries ACK or RST; SYN comes with neither FIN nor RST (RFC 9293 3.10).
         */
        const __u8 flags = packet->tcp_flags;
        const int absurd =
            !(flags & (TCP_SYN | TCP_ACK | TCP_RST)) || ((flags & TCP_SYN) && (flags & (TCP_FIN | TCP_RST)));
        return absurd ? STEM_TCP_HEADER : STEM_CONTINUE;
    }
    if (protocol == IPPROTO_UDP && packet->ip_version == 6) {
        const struct udphdr* udp = octets_at(context, packet->l4_offset, sizeof(*udp));
        return !udp || udp->check == 0 ? STEM_UDP_HEADER : STEM_CONTINUE; /* RFC 8200 8.1 */
    }
    return STEM_CONTINUE;
}

/* RFC 791 3.2, RFC 8200 4.5; and discovery is never fragmented (RFC 6980). */
static inline enum stem_reason check_fragment(const struct packet* packet) {
    const __u32 size = packet->fragment_size;
    if (size == 0 || (packet->fragment_more && size % 8 != 0) ||
        packet->fragment_start * 8u + size + sizeof(struct iphdr) > 0xffff) {
        return STEM_FRAGMENT_FORM;
    }
    const int discovery = packet->key.protocol == IPPROTO_ICMPV6 && packet->l4_offset != 0 &&
                          packet->icmp_type >= 133 && packet->icmp_type <= 137;
    return discovery ? STEM_FRAGMENT_FORM : STEM_CONTINUE;
}

/* Gives STEM_CONTINUE, or the reason why no honest station sends this. For IP only. */
__noinline int judge_form(struct xdp_md* context, struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    enum stem_reason reason = packet->odd ? check_options(context, packet) : STEM_CONTINUE;
    if (reason != STEM_CONTINUE) {
        return reason;
    }
    if (packet->ip_version == 4 && !ipv4_checksum_holds(context, packet)) {
        return STEM_IPV4_HEADER;
    }
    if (packet->ttl == 0) {
        return packet->ip_version == 4 ? STEM_IPV4_HEADER : STEM_IPV6_HEADER;
    }
    if (packet->neighbour) {
        return STEM_CONTINUE; /* has rules of its own (neighbour.h) */
    }
    if (addresses_cannot_be(packet)) {
        return STEM_MARTIAN;
    }
    reason = packet->fragment ? check_fragment(packet) : STEM_CONTINUE;
    return reason != STEM_CONTINUE ? reason : check_transport(context, packet);
}

#endif
