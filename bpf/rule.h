/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pattern Matcher: the static rules, first match, and the default policy.
 *
 * Reads and counts in the generation that `rules` points at; writes events for rules that log. The cost does
 * not grow with the number of rules (classify.h): 8,192 cost about what one does.
 */
#ifndef STEM_BPF_RULE_H
#define STEM_BPF_RULE_H

#include "bound.h"
#include "classify.h"
#include "event.h"
#include "maps.h"
#include "packet.h"

struct rule_walk {
    struct stem_ruleset* set;
    struct packet* packet;
    struct classified found;
    __u64 matches; /* rules of the word that is being looked at */
    __u32 word;
    enum stem_reason reason;
    __u32 flags; /* enum stem_rule_flag, of the rule that decided */
};

static __always_inline void count_hit(struct stem_ruleset* set, __u32 rule, __u32 length) {
    struct stem_counter* hits =
        &set->hits[bounded(bpf_get_smp_processor_id(), STEM_COUNTER_STRIPES)][bounded(rule, STEM_RULES_MAX)];
    __sync_fetch_and_add(&hits->packets, 1);
    __sync_fetch_and_add(&hits->bytes, length);
}

/* One rule that matches: 1 if it decides. */
static __always_inline int apply_rule(struct rule_walk* walk, __u32 rule) {
    const struct stem_rule_verdict verdict = walk->set->verdict[bounded(rule, STEM_RULES_MAX)];
    count_hit(walk->set, rule, walk->packet->frame_length);
    walk->packet->rule = (__u16)(rule + 1);
    if (verdict.flags & STEM_RULE_LOG) {
        report(walk->packet, STEM_RULE_LOGGED, 0);
    }
    switch (verdict.action) {
    case STEM_ACTION_LOG:
        walk->packet->rule = 0;
        return 0;
    case STEM_ACTION_PASS:
        walk->reason = STEM_RULE_PASS;
        break;
    case STEM_ACTION_STEER:
        walk->reason = STEM_RULE_STEER;
        break;
    default:
        walk->reason = STEM_RULE_DROP;
    }
    walk->flags = verdict.flags;
    return 1;
}

/* A step: the next rule of the word at hand, or else the next word. A function of its own for bpf_loop
 * (kernel 5.17), so that the verifier checks one step, not thousands. */
static long step_rules(__u32 step, void* context) {
    struct rule_walk* walk = context;
    (void)step;
    if (!walk->matches) {
        const __u32 word = next_word(&walk->found);
        if (word >= STEM_RULE_WORDS) {
            return 1;
        }
        walk->word = word;
        walk->matches = matches_in(walk->set, &walk->found, word);
        if (!walk->matches) {
            return 0;
        }
    }
    const __u64 matches = walk->matches;
    walk->matches = matches & (matches - 1);
    return apply_rule(walk, walk->word * 64 + first_bit(matches));
}

/* The generation in force. Looked up once a packet: rules and policy then come from the same one. */
static __always_inline struct stem_ruleset* ruleset_in_force(void) {
    const __u32 zero = 0;
    void* generation = bpf_map_lookup_elem(&rules, &zero);
    return generation ? bpf_map_lookup_elem(generation, &zero) : NULL;
}

/* `flags` are those of the rule that decided (enum stem_rule_flag); so is packet->rule. Not inline: its stack
 * is free again when the next stage begins. */
static __noinline enum stem_reason judge_rules(struct packet* packet, struct stem_ruleset* set,
                                               __u32* flags) {
    *flags = 0;
    packet->generation = (__u32)set->generation;
    if (set->count == 0) {
        return STEM_CONTINUE;
    }
    struct rule_walk walk = {
        .set = set,
        .packet = packet,
        .matches = packet->unknown_zero,
        .word = (__u32)packet->unknown_zero,
        .reason = STEM_CONTINUE,
    };
    if (!classify(set, packet, &walk.found)) {
        return STEM_CONTINUE;
    }
    /* Each word once, and each rule once. */
    bpf_loop(STEM_RULE_WORDS + STEM_RULES_MAX, step_rules, &walk, 0);
    *flags = walk.flags;
    return walk.reason;
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
