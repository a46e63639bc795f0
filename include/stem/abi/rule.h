/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Static rules and default policies: one generation is one value of one inner map, and the outer map `rules`
 * points at it. A load builds a new inner map and flips the pointer, so no packet is judged by a mixture.
 */
#ifndef STEM_ABI_RULE_H
#define STEM_ABI_RULE_H

#include <stem/abi/address.h>

#define STEM_RULES_MAX 64

enum stem_rule_action {
    STEM_ACTION_PASS = 1,
    STEM_ACTION_DROP = 2,
    STEM_ACTION_STEER = 3,
};

enum stem_rule_flag {
    STEM_RULE_KEEP_STATE = 1 << 1, /* pass: the answers too */
};

enum stem_rule_match {
    STEM_MATCH_INBOUND = 1 << 0,
    STEM_MATCH_OUTBOUND = 1 << 1,
    STEM_MATCH_SOURCE = 1 << 2,
    STEM_MATCH_DESTINATION = 1 << 3,
    STEM_MATCH_PROTOCOL = 1 << 4,
    STEM_MATCH_SOURCE_PORT = 1 << 5,
    STEM_MATCH_DESTINATION_PORT = 1 << 6,
    STEM_MATCH_ICMP_TYPE = 1 << 7,
    STEM_MATCH_VLAN = 1 << 8,
};

struct stem_rule {
    __u64 source[2]; /* network byte order, already masked */
    __u64 source_mask[2];
    __u64 destination[2];
    __u64 destination_mask[2];
    __u16 source_port_low; /* host byte order, inclusive */
    __u16 source_port_high;
    __u16 destination_port_low;
    __u16 destination_port_high;
    __u16 match; /* enum stem_rule_match: which fields count; always at least one direction */
    __u16 vlan;  /* outer VLAN id */
    __u8 protocol;
    __u8 icmp_type;
    __u8 action;   /* enum stem_rule_action */
    __u8 flags;    /* enum stem_rule_flag */
    __u64 packets; /* kernel */
    __u64 bytes;   /* kernel */
    char name[32]; /* for people; NUL-terminated */
};
STEM_ABI_ASSERT(sizeof(struct stem_rule) == 128);

struct stem_ruleset {
    __u64 generation; /* 1 = the embedded default; rises with every load */
    __u64 loaded_ns;  /* CLOCK_REALTIME */
    __u32 count;
    __u8 policy[STEM_DIRECTIONS]; /* enum stem_rule_action: pass or drop */
    __u8 zero[2];
    struct stem_rule rule[STEM_RULES_MAX];
};
STEM_ABI_ASSERT(sizeof(struct stem_ruleset) == 24 + 128 * STEM_RULES_MAX);

/* The fail-safe list (map failsafe): what is let through before any policy, so that an operator cannot lock
 * themselves out. `port` is the service's; answers are let back when they carry TCP's ACK or come over UDP.
 */
struct stem_failsafe_key {
    __u32 prefix_length; /* 32 + bits of `client`; the fields before the address always count whole */
    __u16 port;          /* host byte order */
    __u8 protocol;       /* IPPROTO_TCP or IPPROTO_UDP */
    __u8 direction;      /* enum stem_direction of the client's packets */
    __u8 client[16];
};
STEM_ABI_ASSERT(sizeof(struct stem_failsafe_key) == 24);
#define STEM_FAILSAFE_PREFIX_BASE 32

struct stem_failsafe {
    __u64 packets; /* kernel */
};

#endif
