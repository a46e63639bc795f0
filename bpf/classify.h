/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Which rules of a generation accept a packet: each field to its class, then the classes' bit vectors ANDed
 * (stem/abi/ruleset.h has the picture).
 *
 * Owns no maps. A packet costs at most five tree nodes for each address, four table look-ups, and then six
 * words for each of the 128 words of the vectors in which every field has a rule: mostly one. Includes
 * nothing of BPF, so that user space can compile and test the same lines.
 */
#ifndef STEM_BPF_CLASSIFY_H
#define STEM_BPF_CLASSIFY_H

#include "bound.h"
#include "packet.h"

#include <stem/abi/ruleset.h>

/* A packet's classes, and the words of the vectors that are still to be looked at. */
struct classified {
    __u64 summary[2];
    __u16 field[STEM_FIELDS]; /* by enum stem_field: index in classes */
};

STEM_ALWAYS_INLINE const struct stem_class* class_at(const struct stem_ruleset* set, __u32 index) {
    index = opaque(index);
    return index < STEM_CLASSES_MAX ? &set->classes[index] : (const struct stem_class*)0;
}

STEM_ALWAYS_INLINE int boundary_reached(const struct stem_boundary* boundary, __u64 high, __u64 low) {
    return boundary->high < high || (boundary->high == high && boundary->low <= low);
}

STEM_ALWAYS_INLINE __u64 from_be64(const __u8* octets) {
    __u64 value;
    __builtin_memcpy(&value, octets, sizeof(value));
    return __builtin_bswap64(value);
}

/* The class of an address. Three comparisons a level, and as many levels as the set needs. */
STEM_ALWAYS_INLINE __u16 class_of_address(const struct stem_ruleset* set, struct stem_tree tree,
                                          const struct stem_addr* address) {
    const __u64 high = from_be64(&address->octet[0]);
    const __u64 low = from_be64(&address->octet[8]);
    __u32 at = tree.root;
    for (__u32 level = 0; level < STEM_TREE_LEVELS_MAX && level < tree.levels; level++) {
        at = opaque(at);
        if (at >= STEM_NODES_MAX) {
            break;
        }
        const struct stem_node* node = &set->nodes[at];
        if (boundary_reached(&node->key[3], high, low)) {
            if (boundary_reached(&node->key[5], high, low)) {
                at = boundary_reached(&node->key[6], high, low) ? node->next[7] : node->next[6];
            } else {
                at = boundary_reached(&node->key[4], high, low) ? node->next[5] : node->next[4];
            }
        } else if (boundary_reached(&node->key[1], high, low)) {
            at = boundary_reached(&node->key[2], high, low) ? node->next[3] : node->next[2];
        } else {
            at = boundary_reached(&node->key[0], high, low) ? node->next[1] : node->next[0];
        }
    }
    return (__u16)at;
}

/* 0, if a class is out of bounds: nothing matches then. */
STEM_ALWAYS_INLINE int narrow(const struct stem_ruleset* set, struct classified* found, enum stem_field field,
                              __u16 index) {
    const struct stem_class* one = class_at(set, index);
    if (!one) {
        return 0;
    }
    found->field[field] = index;
    found->summary[0] &= one->summary[0];
    found->summary[1] &= one->summary[1];
    return 1;
}

/* 1, if any rule may match. */
STEM_ALWAYS_INLINE int classify(const struct stem_ruleset* set, const struct packet* packet,
                                struct classified* found) {
    const struct stem_flow_key* key = &packet->key;
    const __u32 family = packet->ip_version == 6 ? STEM_FAMILY_V6 : STEM_FAMILY_V4;
    const int whole = packet->l4_offset != 0;
    __u32 kind = key->protocol;
    __u16 destination_port = set->no_port_class[0];
    __u16 source_port = set->no_port_class[1];
    if (whole && (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP)) {
        destination_port = set->port_class[0][key->dport];
        source_port = set->port_class[1][key->sport];
    } else if (whole && key->protocol == IPPROTO_ICMP) {
        kind = STEM_KIND_ICMP_BASE + packet->icmp_type;
    } else if (whole && key->protocol == IPPROTO_ICMPV6) {
        kind = STEM_KIND_ICMPV6_BASE + packet->icmp_type;
    }
    found->summary[0] = ~0ull;
    found->summary[1] = ~0ull;
    const __u16 kind_class = set->kind_class[key->direction & 1][kind];
    const __u16 vlan_class = set->vlan_class[packet->vlan & 0x0fff];
    const __u16 destination = class_of_address(set, set->tree[family][STEM_FIELD_DESTINATION], &key->dst);
    const __u16 source = class_of_address(set, set->tree[family][STEM_FIELD_SOURCE], &key->src);
    return narrow(set, found, STEM_FIELD_DESTINATION, destination) &&
           narrow(set, found, STEM_FIELD_SOURCE, source) &&
           narrow(set, found, STEM_FIELD_DESTINATION_PORT, destination_port) &&
           narrow(set, found, STEM_FIELD_SOURCE_PORT, source_port) &&
           narrow(set, found, STEM_FIELD_KIND, kind_class) &&
           narrow(set, found, STEM_FIELD_VLAN, vlan_class) && (found->summary[0] | found->summary[1]) != 0;
}

STEM_ALWAYS_INLINE __u32 bits_in(__u64 word) {
    word -= (word >> 1) & 0x5555555555555555ull;
    word = (word & 0x3333333333333333ull) + ((word >> 2) & 0x3333333333333333ull);
    return (__u32)((((word + (word >> 4)) & 0x0f0f0f0f0f0f0f0full) * 0x0101010101010101ull) >> 56);
}

/* The number of the lowest bit that is set; `word` is not 0. BPF has no instruction for it. */
STEM_ALWAYS_INLINE __u32 first_bit(__u64 word) {
    return bits_in(~word & (word - 1));
}

/* Word `index` of a class's own vector, where it has several. */
STEM_ALWAYS_INLINE __u64 packed_word(const struct stem_ruleset* set, __u32 at, __u32 index) {
    const __u64 low = set->own_words[bounded(at, STEM_OWN_WORDS_MAX)];
    const __u64 high = set->own_words[bounded(at + 1, STEM_OWN_WORDS_MAX)];
    const __u64 bit = 1ull << (index & 63);
    const __u64 half = index < 64 ? low : high;
    if (!(half & bit)) {
        return 0;
    }
    const __u32 before = bits_in(half & (bit - 1)) + (index < 64 ? 0 : bits_in(low));
    return set->own_words[bounded(at + 2 + before, STEM_OWN_WORDS_MAX)];
}

STEM_ALWAYS_INLINE __u64 class_word(const struct stem_ruleset* set, __u16 class_index, __u32 index) {
    const struct stem_class* one = class_at(set, class_index);
    if (!one) {
        return 0;
    }
    __u64 word = set->common[bounded(one->common, STEM_COMMON_MAX)][bounded(index, STEM_RULE_WORDS)];
    if (one->own == STEM_OWN_WORD) {
        word |= one->own_at == index ? one->own_word : 0;
    } else if (one->own == STEM_OWN_PACKED) {
        word |= packed_word(set, one->own_at, index);
    }
    return word;
}

/* The rules of word `index` that match: bit n is rule 64 * index + n. */
STEM_ALWAYS_INLINE __u64 matches_in(const struct stem_ruleset* set, const struct classified* found,
                                    __u32 index) {
    __u64 word = class_word(set, found->field[STEM_FIELD_DESTINATION], index);
    word &= class_word(set, found->field[STEM_FIELD_SOURCE], index);
    if (word) {
        word &= class_word(set, found->field[STEM_FIELD_DESTINATION_PORT], index);
        word &= class_word(set, found->field[STEM_FIELD_SOURCE_PORT], index);
    }
    if (word) {
        word &= class_word(set, found->field[STEM_FIELD_KIND], index);
        word &= class_word(set, found->field[STEM_FIELD_VLAN], index);
    }
    return word;
}

/* Takes the next word to look at off the summary; STEM_RULE_WORDS if there is none. */
STEM_ALWAYS_INLINE __u32 next_word(struct classified* found) {
    for (__u32 half = 0; half < 2; half++) {
        const __u64 summary = found->summary[half];
        if (summary) {
            found->summary[half] = summary & (summary - 1);
            return half * 64 + first_bit(summary);
        }
    }
    return STEM_RULE_WORDS;
}

#endif
