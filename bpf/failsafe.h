/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The fail-safe list: management connections that no policy may cut, both their ways. The answer's way needs
 * TCP's ACK flag, so that the list opens no connection backwards.
 *
 * Reads failsafe. Costs TCP packets two trie lookups, and UDP ones nothing unless the list names UDP.
 */
#ifndef STEM_BPF_FAILSAFE_H
#define STEM_BPF_FAILSAFE_H

#include "maps.h"
#include "packet.h"

const volatile __u8 stem_failsafe_udp = 0; /* 1: the list has UDP entries */

static __always_inline int failsafe_lists(__u16 port, __u8 protocol, __u8 direction,
                                          const struct stem_addr* client) {
    struct stem_failsafe_key key = {
        .prefix_length = STEM_FAILSAFE_PREFIX_BASE + 128,
        .port = port,
        .protocol = protocol,
        .direction = direction,
    };
    __builtin_memcpy(key.client, client->octet, sizeof(key.client));
    struct stem_failsafe* entry = bpf_map_lookup_elem(&failsafe, &key);
    if (!entry) {
        return 0;
    }
    entry->packets++;
    return 1;
}

/* A function of its own, for the verifier's sake: gives an enum stem_reason. */
__noinline int judge_managed(const struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    const struct stem_flow_key* key = &packet->key;
    if (failsafe_lists(key->dport, key->protocol, key->direction, &key->src)) {
        return STEM_FAILSAFE;
    }
    if (key->protocol == IPPROTO_TCP && !(packet->tcp_flags & TCP_ACK)) {
        return STEM_CONTINUE;
    }
    const __u8 other = key->direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
    return failsafe_lists(key->sport, key->protocol, other, &key->dst) ? STEM_FAILSAFE : STEM_CONTINUE;
}

static __always_inline enum stem_reason judge_failsafe(const struct packet* packet) {
    const __u8 protocol = packet->key.protocol;
    if (!packet->l4_offset || packet->fragment ||
        !(protocol == IPPROTO_TCP || (stem_failsafe_udp && protocol == IPPROTO_UDP))) {
        return STEM_CONTINUE;
    }
    return (enum stem_reason)judge_managed(packet);
}

#endif
