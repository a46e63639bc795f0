/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pattern Matcher: the static rules, first match, and the default policy. At most STEM_RULES_MAX rules,
 * walked in order: small and right. Reads and counts in the generation that `rules` points at.
 */
#ifndef STEM_BPF_RULE_H
#define STEM_BPF_RULE_H

#include "maps.h"
#include "packet.h"

/* What a rule looks at, copied: the packet itself then never has to live in memory for the fast path's sake.
 */
struct rule_walk {
    struct stem_ruleset* set;
    __u64 src[2];
    __u64 dst[2];
    __u32 frame_length;
    __u16 sport;
    __u16 dport;
    __u16 vlan;
    __u16 way; /* STEM_MATCH_INBOUND or STEM_MATCH_OUTBOUND */
    __u8 protocol;
    __u8 icmp_type;
    __u8 has_l4;
    enum stem_reason verdict;
    __u32 flags;
};

static __always_inline int in_network(const __u64* address, const __u64* network, const __u64* mask) {
    return (address[0] & mask[0]) == network[0] && (address[1] & mask[1]) == network[1];
}

static __always_inline int rule_matches(const struct stem_rule* rule, const struct rule_walk* walk) {
    const __u16 match = rule->match;
    if (!(match & walk->way)) {
        return 0;
    }
    if ((match & STEM_MATCH_PROTOCOL) && rule->protocol != walk->protocol) {
        return 0;
    }
    if ((match & STEM_MATCH_VLAN) && rule->vlan != walk->vlan) {
        return 0;
    }
    /* A fragment has no ports and no ICMP type that could be trusted, and matches no rule that names them. */
    if ((match & (STEM_MATCH_SOURCE_PORT | STEM_MATCH_DESTINATION_PORT | STEM_MATCH_ICMP_TYPE)) &&
        !walk->has_l4) {
        return 0;
    }
    if ((match & STEM_MATCH_SOURCE_PORT) &&
        (walk->sport < rule->source_port_low || walk->sport > rule->source_port_high)) {
        return 0;
    }
    if ((match & STEM_MATCH_DESTINATION_PORT) &&
        (walk->dport < rule->destination_port_low || walk->dport > rule->destination_port_high)) {
        return 0;
    }
    if ((match & STEM_MATCH_ICMP_TYPE) && rule->icmp_type != walk->icmp_type) {
        return 0;
    }
    if ((match & STEM_MATCH_SOURCE) && !in_network(walk->src, rule->source, rule->source_mask)) {
        return 0;
    }
    return !(match & STEM_MATCH_DESTINATION) ||
           in_network(walk->dst, rule->destination, rule->destination_mask);
}

/* A function of its own for bpf_loop (kernel 5.17): the verifier then checks one round, not sixty-four. */
static long try_rule(__u32 index, void* context) {
    struct rule_walk* walk = context;
    struct stem_ruleset* set = walk->set;
    if (index >= STEM_RULES_MAX || index >= set->count) {
        return 1;
    }
    struct stem_rule* rule = &set->rule[index];
    if (!rule_matches(rule, walk)) {
        return 0;
    }
    __sync_fetch_and_add(&rule->packets, 1);
    __sync_fetch_and_add(&rule->bytes, walk->frame_length);
    walk->flags = rule->flags;
    walk->verdict = rule->action == STEM_ACTION_PASS    ? STEM_RULE_PASS
                    : rule->action == STEM_ACTION_STEER ? STEM_RULE_STEER
                                                        : STEM_RULE_DROP;
    return 1;
}

/* The generation in force. Looked up once a packet: rules and policy then come from the same one. */
static __always_inline struct stem_ruleset* ruleset_in_force(void) {
    const __u32 zero = 0;
    void* generation = bpf_map_lookup_elem(&rules, &zero);
    return generation ? bpf_map_lookup_elem(generation, &zero) : NULL;
}

static __always_inline enum stem_reason judge_rules(const struct packet* packet, struct stem_ruleset* set,
                                                    __u32* flags) {
    *flags = 0;
    if (set->count == 0) {
        return STEM_CONTINUE;
    }
    struct rule_walk walk = {
        .set = set,
        .frame_length = packet->frame_length,
        .sport = packet->key.sport,
        .dport = packet->key.dport,
        .vlan = packet->vlan,
        .way = packet->key.direction == STEM_INBOUND ? STEM_MATCH_INBOUND : STEM_MATCH_OUTBOUND,
        .protocol = packet->key.protocol,
        .icmp_type = packet->icmp_type,
        .has_l4 = packet->l4_offset != 0,
        .verdict = STEM_CONTINUE,
    };
    __builtin_memcpy(walk.src, packet->key.src.octet, sizeof(walk.src));
    __builtin_memcpy(walk.dst, packet->key.dst.octet, sizeof(walk.dst));
    bpf_loop(STEM_RULES_MAX, try_rule, &walk, 0);
    *flags = walk.flags;
    return walk.verdict;
}

static __always_inline enum stem_reason judge_policy(const struct packet* packet,
                                                     const struct stem_ruleset* set) {
    if (set->policy[packet->key.direction & 1] == STEM_ACTION_PASS) {
        return STEM_POLICY_PASS;
    }
    if (packet->fragment) {
        return STEM_FRAGMENT;
    }
    return packet->key.protocol == IPPROTO_UDP ? STEM_NO_PINHOLE : STEM_POLICY_DROP;
}

#endif
