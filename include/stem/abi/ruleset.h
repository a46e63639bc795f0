/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * One generation of static rules and default policies, compiled: one value of one inner map, which the outer
 * map `rules` points at. A load builds a new inner map and flips the pointer, so no packet is judged by a
 * mixture. Rules, policy and the rules' counters all live and die with their generation.
 *
 *     packet field ── table or tree ──► class ──► bit vector: the rules that accept this field's value
 *     the vectors of all fields, ANDed; the first bit that is left is the first rule that matches
 *
 * A class is a set of values of one field that the same rules accept. Its vector has two parts, ORed: a
 * common one, which many classes share (the rules that do not name the field, and networks that many rules
 * name), stored whole; and the class's own, of which only the words that have a bit are stored. The summary
 * has a bit for each of the 128 words, so that a packet touches only words in which every field has a rule.
 *
 * User space compiles (ctl/kernel/rule_compiler.h), the kernel walks (bpf/classify.h). The sizes below bound
 * what can be loaded; docs/decisions/0008-rules-as-bit-vectors.md has the reckoning.
 */
#ifndef STEM_ABI_RULESET_H
#define STEM_ABI_RULESET_H

#include <stem/abi/reason.h>
#include <stem/abi/rule.h>

#define STEM_RULE_WORDS (STEM_RULES_MAX / 64)
#define STEM_CLASSES_MAX 40960   /* of all fields together */
#define STEM_COMMON_MAX 256      /* vectors that classes share */
#define STEM_OWN_WORDS_MAX 65536 /* what classes have of their own: a power of two */
#define STEM_NODES_MAX 5632      /* of all trees: two of 16,384 boundaries each, and to spare */
#define STEM_TREE_LEVELS_MAX 5   /* 8 to the 5th intervals; 8,192 networks make 16,385 at most */
#define STEM_COUNTER_STRIPES 8   /* CPUs count apart, modulo this: a power of two */

enum stem_family {
    STEM_FAMILY_V4 = 0,
    STEM_FAMILY_V6 = 1,
    STEM_FAMILIES = 2,
};

enum stem_field {
    STEM_FIELD_DESTINATION = 0,
    STEM_FIELD_SOURCE = 1,
    STEM_FIELD_DESTINATION_PORT = 2,
    STEM_FIELD_SOURCE_PORT = 3,
    STEM_FIELD_KIND = 4, /* protocol, ICMP type and direction in one */
    STEM_FIELD_VLAN = 5,
    STEM_FIELDS = 6,
};

enum stem_own {
    STEM_OWN_NONE = 0,
    STEM_OWN_WORD = 1,   /* one word, kept in the class itself */
    STEM_OWN_PACKED = 2, /* own_words[own_at]: a summary of two words, then each word that has a bit */
};

struct stem_class {
    __u64 summary[2]; /* bit k of 128: word k has a rule */
    __u64 own_word;   /* STEM_OWN_WORD */
    __u32 own_at;     /* STEM_OWN_WORD: which of the 128 words; STEM_OWN_PACKED: index in own_words */
    __u16 common;     /* index of the common vector */
    __u16 own;        /* enum stem_own */
};
STEM_ABI_ASSERT(sizeof(struct stem_class) == 32);

/* An address as two numbers in host byte order, so that addresses compare as their octets do. */
struct stem_boundary {
    __u64 high;
    __u64 low;
};

/* A node of a balanced tree over the elementary intervals of the address space: `next[i]` is for addresses
 * from key[i - 1] on and below key[i]: a node of the next level, or at the last level a class. Keys that are
 * not used are all ones, and the nexts behind them repeat the last. Two cache lines. */
struct stem_node {
    struct stem_boundary key[7];
    __u16 next[8];
};
STEM_ABI_ASSERT(sizeof(struct stem_node) == 128);

struct stem_tree {
    __u16 root;   /* a node; where there are no levels, the class of all addresses */
    __u16 levels; /* at most STEM_TREE_LEVELS_MAX */
};

/* Index of kind_class: a protocol, or the type of an ICMP or ICMPv6 packet that is no fragment. */
#define STEM_KIND_ICMP_BASE 256
#define STEM_KIND_ICMPV6_BASE 512
#define STEM_KINDS 768

struct stem_rule_verdict {
    __u8 action; /* enum stem_rule_action */
    __u8 flags;  /* enum stem_rule_flag */
};

struct stem_ruleset {
    __u64 generation; /* 1 = the one of the attach; rises with every load */
    __u64 loaded_ns;  /* CLOCK_REALTIME */
    __u32 count;
    __u8 policy[STEM_DIRECTIONS]; /* enum stem_rule_action: pass or drop */
    __u8 zero[2];

    struct stem_tree tree[STEM_FAMILIES][2]; /* by STEM_FIELD_DESTINATION, STEM_FIELD_SOURCE */
    __u16 no_port_class[2];                  /* what has no ports; destination, source */
    __u16 unused[10];
    __u16 port_class[2][65536]; /* destination, source */
    __u16 kind_class[STEM_DIRECTIONS][STEM_KINDS];
    __u16 vlan_class[4096];
    struct stem_rule_verdict verdict[STEM_RULES_MAX];

    struct stem_class classes[STEM_CLASSES_MAX];
    __u64 common[STEM_COMMON_MAX][STEM_RULE_WORDS];
    __u64 own_words[STEM_OWN_WORDS_MAX];
    struct stem_node nodes[STEM_NODES_MAX];

    struct stem_counter hits[STEM_COUNTER_STRIPES][STEM_RULES_MAX]; /* kernel; whole frames */

    /* What the compiler has used, and the rules as written: for people, not read by the kernel. */
    __u32 classes_used;
    __u32 common_used;
    __u32 own_words_used;
    __u32 nodes_used;
    struct stem_rule rule[STEM_RULES_MAX];
};
STEM_ABI_ASSERT(sizeof(struct stem_ruleset) % 8 == 0);

#endif
