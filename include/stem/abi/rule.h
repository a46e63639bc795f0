/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A static rule as people write it, and what it does. stem/abi/ruleset.h has what the kernel makes of all
 * the rules of a generation. The fail-safe list is here, too.
 */
#ifndef STEM_ABI_RULE_H
#define STEM_ABI_RULE_H

#include <stem/abi/address.h>

#define STEM_RULES_MAX 8192

enum stem_rule_action {
    STEM_ACTION_PASS = 1,
    STEM_ACTION_DROP = 2,
    STEM_ACTION_STEER = 3, /* to stemd */
    STEM_ACTION_LOG = 4,   /* reports the packet; matching goes on */
};

enum stem_rule_flag {
    STEM_RULE_LOG = 1 << 0,        /* reports the packet, whatever the action */
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
    STEM_MATCH_INTERFACE =
        1 << 9, /* its one direction was written as the interface that packets come in by */
};

/*
 * Ports match TCP and UDP only, an ICMP type ICMP and ICMPv6 only, and neither matches a fragment. A network
 * matches packets of its own family only: ::/0 is all of IPv6 and nothing of IPv4.
 */
struct stem_rule {
    __u64 source[2]; /* network byte order, already masked; IPv4 as ::ffff:a.b.c.d */
    __u64 source_mask[2];
    __u64 destination[2];
    __u64 destination_mask[2];
    __u16 source_port_low; /* host byte order, inclusive */
    __u16 source_port_high;
    __u16 destination_port_low;
    __u16 destination_port_high;
    __u16 match; /* enum stem_rule_match: which fields count; always at least one direction */
    __u16 vlan;  /* outer VLAN id; 0 = untagged */
    __u8 protocol;
    __u8 icmp_type;
    __u8 action;   /* enum stem_rule_action */
    __u8 flags;    /* enum stem_rule_flag */
    char name[32]; /* for people; NUL-terminated */
};
STEM_ABI_ASSERT(sizeof(struct stem_rule) == 112);

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
