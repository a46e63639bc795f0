/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a packet meets that belongs to no open pinhole, top to bottom. A function of its own: the verifier
 * then checks it once, and not once for each way through the parser.
 */
#ifndef STEM_BPF_SLOW_PATH_H
#define STEM_BPF_SLOW_PATH_H

#include "learning.h"
#include "rule.h"
#include "settings.h"
#include "steer.h"

/* Gives an enum stem_reason, never STEM_CONTINUE. */
__noinline int judge_slow_path(struct xdp_md* context, struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    enum stem_reason reason;
    struct stem_ruleset* set = ruleset_in_force();
    if (!set) {
        return STEM_INTERNAL;
    }
    if (stem_modules & STEM_MODULE_FLOW_MONITOR) {
        reason = (enum stem_reason)judge_learning(context, packet);
        if (reason != STEM_CONTINUE) {
            return reason;
        }
    }
    if (stem_modules & STEM_MODULE_PATTERN_MATCHER) {
        __u32 flags; /* of the rule that decided */
        reason = judge_rules(packet, set, &flags);
        if (reason == STEM_RULE_STEER) {
            return steer_within_budget(context, packet, reason);
        }
        if (reason == STEM_RULE_PASS && (flags & STEM_RULE_KEEP_STATE)) {
            packet->after = AFTER_KEEP_STATE;
        }
        if (reason != STEM_CONTINUE) {
            return reason;
        }
    }
    if (stem_modules & STEM_MODULE_SIP_STEERING) {
        reason = judge_steering(context, packet);
        if (reason != STEM_CONTINUE) {
            return reason;
        }
    }
    return judge_policy(packet, set);
}

#endif
