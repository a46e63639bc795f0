/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ARP, neighbour discovery and multicast listening. All that a station claims there is believed by the whole
 * link, so a bridge looks at it: well formed (RFC 826, RFC 4861), within its sender's budget, and nobody
 * outside may speak for an address that lives inside. See docs/decisions/0009.
 *
 * Reads and writes neighbours_inside, neighbours_outside, neighbour_budget. Costs a few hash lookups, for
 * these packets only.
 */
#ifndef STEM_BPF_NEIGHBOUR_H
#define STEM_BPF_NEIGHBOUR_H

#include "address_kind.h"
#include "bucket.h"
#include "clock.h"
#include "maps.h"
#include "octets.h"
#include "packet.h"
#include "parse.h"
#include "settings.h"
#include "threshold.h"

#define STEM_DISCOVERY_OPTIONS_MAX 32

enum icmpv6_type { /* RFC 2710, RFC 4861 4 */
                   ICMPV6_LISTENER_QUERY = 130,
                   ICMPV6_LISTENER_DONE = 132,
                   ICMPV6_ROUTER_SOLICITATION = 133,
                   ICMPV6_ROUTER_ADVERTISEMENT = 134,
                   ICMPV6_NEIGHBOUR_SOLICITATION = 135,
                   ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
                   ICMPV6_REDIRECT = 137,
                   ICMPV6_LISTENER_REPORT_2 = 143,
};

enum discovery_option {
    DISCOVERY_SOURCE_STATION = 1,
};

/* What a packet says of itself: `address` is at the station that sent it. */
struct claim {
    struct stem_neighbour_key key;
    __u8 made;      /* 0: it says nothing */
    __u8 tentative; /* it only asks whether the address is free */
};

struct discovery_walk {
    struct xdp_md* context;
    __u32 at;
    __u32 end;
    __u8 done;
    __u8 source_station;
};

static long discovery_option_step(__u32 index, void* data) {
    (void)index;
    struct discovery_walk* walk = data;
    if (walk->at == walk->end) {
        walk->done = 1;
        return 1;
    }
    const __u8* option = octets_at(walk->context, walk->at, 2);
    if (!option || option[1] == 0 || walk->at + option[1] * 8u > walk->end) {
        return 1;
    }
    walk->source_station |= option[0] == DISCOVERY_SOURCE_STATION;
    walk->at += option[1] * 8u;
    return 0;
}

/* Octets before the options (RFC 4861 4). */
static __always_inline __u32 discovery_size(__u8 type) {
    return type == ICMPV6_ROUTER_SOLICITATION    ? 8
           : type == ICMPV6_ROUTER_ADVERTISEMENT ? 16
           : type == ICMPV6_REDIRECT             ? 40
                                                 : 24;
}

static __always_inline int is_unspecified(const struct stem_addr* address) {
    return (word_of(address, 0) | word_of(address, 1) | word_of(address, 2) | word_of(address, 3)) == 0;
}

static __always_inline int is_solicited_node(const struct stem_addr* address) {
    return word_of(address, 0) == 0xff020000u && word_of(address, 1) == 0 && word_of(address, 2) == 1 &&
           address->octet[12] == 0xff;
}

static __always_inline enum stem_reason check_listening(const struct packet* packet) {
    const struct stem_addr* src = &packet->key.src;
    return v6_is_link_local(src) || is_unspecified(src) ? STEM_CONTINUE : STEM_ICMP_HEADER;
}

/* RFC 4861 6.1, 7.1, 8.1, but for the checksum. */
static __always_inline enum stem_reason check_discovery(struct xdp_md* context, const struct packet* packet,
                                                        struct claim* claim) {
    const struct stem_addr* src = &packet->key.src;
    const struct stem_addr* dst = &packet->key.dst;
    const __u8 type = packet->icmp_type;
    const __u32 size = discovery_size(type);
    struct discovery_walk walk = {
        .context = context,
        .at = packet->l4_offset + size + (__u32)packet->unknown_zero,
        .end = packet->l3_offset + packet->ip_length,
    };
    const __u8* icmp = octets_at(context, packet->l4_offset, 8);
    if (!icmp || icmp[1] != 0 || walk.at > walk.end) {
        return STEM_ICMP_HEADER;
    }
    const int solicited = (icmp[4] & 0x40) != 0;
    bpf_loop(STEM_DISCOVERY_OPTIONS_MAX, discovery_option_step, &walk, 0);
    if (!walk.done || v6_is_multicast(src) || (is_unspecified(src) && walk.source_station)) {
        return STEM_ICMP_HEADER;
    }
    if (type == ICMPV6_ROUTER_SOLICITATION) {
        claim->made = !is_unspecified(src);
        claim->key.address = *src;
        return STEM_CONTINUE;
    }
    if (type == ICMPV6_ROUTER_ADVERTISEMENT || type == ICMPV6_REDIRECT) {
        claim->made = 1;
        claim->key.address = *src;
        return v6_is_link_local(src) ? STEM_CONTINUE : STEM_ICMP_HEADER;
    }
    const struct stem_addr* target = octets_at(context, packet->l4_offset + 8, sizeof(*target));
    if (!target || target->octet[0] == 0xff) {
        return STEM_ICMP_HEADER;
    }
    if (type == ICMPV6_NEIGHBOUR_ADVERTISEMENT) {
        __builtin_memcpy(&claim->key.address, target, sizeof(*target));
        claim->made = 1;
        return is_unspecified(src) || (v6_is_multicast(dst) && solicited) ? STEM_ICMP_HEADER : STEM_CONTINUE;
    }
    claim->made = 1;
    claim->tentative = (__u8)is_unspecified(src);
    if (!claim->tentative) {
        claim->key.address = *src;
        return STEM_CONTINUE;
    }
    __builtin_memcpy(&claim->key.address, target, sizeof(*target));
    return is_solicited_node(dst) ? STEM_CONTINUE : STEM_ICMP_HEADER;
}

/* RFC 826, RFC 5227. The sender is what all believe; of the target only the question is. */
static __always_inline enum stem_reason check_arp(struct xdp_md* context, const struct packet* packet,
                                                  struct claim* claim) {
    const struct arp_ipv4* arp = octets_at(context, packet->l3_offset, sizeof(*arp));
    if (!arp) {
        return STEM_ARP_HEADER;
    }
    __be32 sender;
    __be32 target;
    __builtin_memcpy(&sender, &arp->body[6], 4);
    __builtin_memcpy(&target, &arp->body[16], 4);
    const int request = arp->operation == STEM_BE16(1);
    const __u32 host = __builtin_bswap32(sender);
    if ((!request && arp->operation != STEM_BE16(2)) || (arp->body[0] & 1) || v4_is_multicast(host) ||
        (sender != 0 && v4_is_nobody(host)) || (sender == 0 && !request)) {
        return STEM_ARP_HEADER;
    }
    claim->made = 1;
    claim->tentative = sender == 0;
    map_v4(&claim->key.address, sender ? sender : target);
    return STEM_CONTINUE;
}

static __always_inline int is_alive(const struct stem_neighbour* neighbour, __u64 hold_ns, __u64 now) {
    return neighbour && neighbour->seen_ns + hold_ns > now;
}

/* In place where it can be: an update of an LRU map may push out another entry. */
static __always_inline void note_neighbour(void* map, const struct claim* claim, const __u8* station,
                                           __u64 now) {
    struct stem_neighbour* known = bpf_map_lookup_elem(map, &claim->key);
    const __u8 flags = claim->tentative ? STEM_NEIGHBOUR_TENTATIVE : 0;
    if (known) {
        __builtin_memcpy(known->station, station, sizeof(known->station));
        known->flags = flags;
        known->seen_ns = now;
        return;
    }
    struct stem_neighbour neighbour = {.seen_ns = now, .flags = flags};
    __builtin_memcpy(neighbour.station, station, sizeof(neighbour.station));
    bpf_map_update_elem(map, &claim->key, &neighbour, BPF_ANY);
}

/* Inside goes before outside, whoever was first: else one outside could take every address before it is used.
 * But who only asks whether an address is free must hear of it from an outside host that has it. */
static __always_inline enum stem_reason weigh_claim(const struct packet* packet, const struct claim* claim,
                                                    const __u8* station, __u64 hold_ns) {
    const __u64 now = now_ns();
    const struct stem_neighbour* inside = bpf_map_lookup_elem(&neighbours_inside, &claim->key);
    const struct stem_neighbour* outside = bpf_map_lookup_elem(&neighbours_outside, &claim->key);
    if (packet->key.direction == STEM_OUTBOUND) {
        const int lives_here = is_alive(inside, hold_ns, now) && !(inside->flags & STEM_NEIGHBOUR_TENTATIVE);
        if (!claim->tentative || !(lives_here || is_alive(outside, hold_ns, now))) {
            note_neighbour(&neighbours_inside, claim, station, now);
        }
        return STEM_CONTINUE;
    }
    if (is_alive(inside, hold_ns, now)) {
        const int settled = !(inside->flags & STEM_NEIGHBOUR_TENTATIVE);
        return claim->tentative && settled ? STEM_CONTINUE : STEM_NEIGHBOUR_SPOOF;
    }
    if (!claim->tentative) {
        note_neighbour(&neighbours_outside, claim, station, now);
    }
    return STEM_CONTINUE;
}

static __always_inline int station_within_rate(const struct packet* packet, const __u8* station, __u32 rate) {
    struct stem_station_key key = {.direction = packet->key.direction};
    __builtin_memcpy(key.station, station, sizeof(key.station));
    const __u64 now = now_ns();
    __u64* full_at = bpf_map_lookup_elem(&neighbour_budget, &key);
    if (!full_at) {
        const __u64 first = now + NS_PER_SECOND / rate;
        bpf_map_update_elem(&neighbour_budget, &key, &first, BPF_ANY);
        return 1;
    }
    const __u64 next = bucket_take(*full_at, now, NS_PER_SECOND / rate, NS_PER_SECOND);
    if (!next) {
        return 0;
    }
    *full_at = next;
    return 1;
}

/* Gives an enum stem_reason, never STEM_CONTINUE. */
__noinline int judge_neighbour(struct xdp_md* context, struct packet* packet) {
    const struct ethhdr* ethernet = octets_at(context, 0, sizeof(*ethernet));
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!packet || !ethernet || !limits) {
        return STEM_INTERNAL;
    }
    __u8 station[6];
    __builtin_memcpy(station, ethernet->h_source, sizeof(station));
    if (limits->neighbour_rate && !station_within_rate(packet, station, limits->neighbour_rate)) {
        return STEM_NEIGHBOUR_RATE;
    }
    struct claim claim = {.key = {.vlan = packet->vlan, .inner_vlan = packet->inner_vlan}};
    const __u8 type = packet->icmp_type;
    enum stem_reason fault;
    if (packet->ip_version == 0) {
        fault = check_arp(context, packet, &claim);
    } else if (type >= ICMPV6_ROUTER_SOLICITATION && type <= ICMPV6_REDIRECT) {
        fault = check_discovery(context, packet, &claim);
    } else {
        fault = check_listening(packet);
    }
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    if (packet->key.direction == STEM_INBOUND && packet->ip_version == 6 &&
        ((type == ICMPV6_ROUTER_ADVERTISEMENT && limits->neighbour_router_guard) ||
         (type == ICMPV6_REDIRECT && limits->neighbour_redirect_guard))) {
        return STEM_ROUTER_GUARD;
    }
    /* A router's two sides are two links, and their addresses have nothing to do with each other. */
    if (stem_mode == STEM_MODE_BRIDGE && limits->neighbour_hold && claim.made) {
        fault = weigh_claim(packet, &claim, station, limits->neighbour_hold * NS_PER_SECOND);
    }
    return fault == STEM_CONTINUE ? STEM_NEIGHBOUR : (int)fault;
}

#endif
