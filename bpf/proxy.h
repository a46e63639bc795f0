/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Steer to proxy: SIP from outside to any inside address goes to the SIP proxy, and the answers come back as
 * from the address that was called. What goes to stemd is marked: it judges it as the client wrote it, and
 * puts the proxy's address in as it lets it go. What stemd does not see (keep-alives over UDP, the open
 * fallback) is changed here, but for fragments, which are dropped then. SIP to and from the proxy itself
 * stays as it is.
 *
 * Reads proxies, writes steered; learns the proxy's link address (bridge mode) from what it sends.
 */
#ifndef STEM_BPF_PROXY_H
#define STEM_BPF_PROXY_H

#include "parse.h"
#include "rewrite.h"
#include "settings.h"
#include "state.h"
#include "state_tcp.h"

#include <stem/abi/proxy.h>

static __always_inline struct stem_proxy* proxy_of(const struct packet* packet) {
    const __u32 family = packet->ip_version == 4 ? STEM_PROXY_V4 : STEM_PROXY_V6;
    struct stem_proxy* proxy = bpf_map_lookup_elem(&proxies, &family);
    return proxy && proxy->port ? proxy : NULL;
}

static __always_inline int is_group(const struct stem_addr* address, int v4) {
    if (!v4) {
        return address->octet[0] == 0xff;
    }
    return address->octet[12] >= 224; /* groups, what is reserved, and broadcast */
}

/* Has the frame carry the link address of the proxy; 0 if nobody knows it. Router mode has the FIB for that.
 */
static __always_inline int set_station(const struct xdp_md* context, const __u8* mac) {
    if (stem_mode == STEM_MODE_ROUTER) {
        return 1;
    }
    struct ethhdr* ethernet = octets_at(context, 0, sizeof(*ethernet));
    if (!ethernet || (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) == 0) {
        return 0;
    }
    __builtin_memcpy(ethernet->h_dest, mac, 6);
    return 1;
}

static __always_inline int station_known(const struct stem_proxy* proxy) {
    return stem_mode == STEM_MODE_ROUTER || (proxy->flags & (STEM_PROXY_MAC_FIXED | STEM_PROXY_MAC_LEARNED));
}

struct arp_sender { /* RFC 826, from the ARP header's start */
    __u8 before[8];
    __u8 station[6];
    __be32 address;
} __attribute__((packed));

/* Bridge mode: a frame from the internal port tells the proxy's link address, if it is from the proxy, be it
 * SIP, ARP or neighbour discovery. */
__noinline int learn_proxy(struct xdp_md* context, const struct packet* packet) {
    if (!packet || stem_mode != STEM_MODE_BRIDGE || packet->key.direction != STEM_OUTBOUND) {
        return 0;
    }
    const struct ethhdr* ethernet = octets_at(context, 0, sizeof(*ethernet));
    if (!ethernet) {
        return 0;
    }
    struct stem_addr source = packet->key.src;
    __u32 family = packet->ip_version == 6 ? STEM_PROXY_V6 : STEM_PROXY_V4;
    if (!packet->ip_version) {
        const struct arp_sender* arp =
            octets_at(context, sizeof(*ethernet) + 4u * (packet->tags & 3), sizeof(*arp));
        if (!packet->neighbour || !arp) {
            return 0;
        }
        map_v4(&source, arp->address);
    }
    struct stem_proxy* proxy = bpf_map_lookup_elem(&proxies, &family);
    ethernet = octets_at(context, 0, sizeof(*ethernet));
    if (!proxy || !ethernet || !proxy->port || (proxy->flags & STEM_PROXY_MAC_FIXED) ||
        !same_address(&source, &proxy->address)) {
        return 0;
    }
    if (!(proxy->flags & STEM_PROXY_MAC_LEARNED) ||
        __builtin_memcmp(proxy->mac, ethernet->h_source, 6) != 0) {
        __builtin_memcpy(proxy->mac, ethernet->h_source, 6);
        proxy->flags |= STEM_PROXY_MAC_LEARNED;
    }
    return 0;
}

/* A packet of a steered TCP connection: to the proxy it was steered to, or back as from the called address.
 */
static __always_inline enum stem_reason carry_steered(struct xdp_md* context, struct packet* packet,
                                                      const struct stem_state* state,
                                                      const struct stem_state_key* key) {
    if (packet->key.direction == STEM_OUTBOUND) {
        return rewrite(context, packet, &key->inside, key->inside_port, REWRITE_SOURCE) == 0 ? STEM_PROXY
                                                                                             : STEM_INTERNAL;
    }
    const struct stem_addr address = state->proxy;
    const struct stem_proxy* proxy = proxy_of(packet);
    /* Where the proxy is now, if it has moved; else where it was, if there is another by now. */
    const __u8* mac = proxy && station_known(proxy) && same_address(&proxy->address, &address)
                          ? proxy->mac
                          : state->proxy_mac;
    if (!set_station(context, mac)) {
        return STEM_PROXY_REFUSED;
    }
    return rewrite(context, packet, &address, state->proxy_port, REWRITE_DESTINATION) == 0 ? STEM_PROXY
                                                                                           : STEM_INTERNAL;
}

/* Writes down whom the client has called; scratch->alias has the proxy inside. STEM_CONTINUE, or why not. */
static __always_inline enum stem_reason note_steered(const struct packet* packet,
                                                     struct state_scratch* scratch) {
    const __u64 now = now_ns();
    struct stem_steered* known = bpf_map_lookup_elem(&steered, &scratch->alias);
    if (known) { /* the last address that it called is the one that answers: stemd knows better, by call */
        known->called = packet->key.dst;
        known->called_port = packet->key.dport;
        known->last_seen_ns = now;
        return STEM_CONTINUE;
    }
    struct stem_state_usage* usage = usage_of_states();
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!usage || !limits) {
        return STEM_INTERNAL;
    }
    if (!make_room(packet, usage, &usage->steered)) {
        count_state(STEM_STATES_REFUSED_FULL);
        return STEM_PROXY_REFUSED;
    }
    source_of(&scratch->alias, STEM_INBOUND, &scratch->source);
    if (packet->key.protocol == IPPROTO_UDP && !charge_state_source(&scratch->source, limits, now)) {
        count_state(STEM_STATES_REFUSED_SOURCE);
        return STEM_PROXY_REFUSED;
    }
    __builtin_memset(&scratch->steered, 0, sizeof(scratch->steered));
    scratch->steered.called = packet->key.dst;
    scratch->steered.called_port = packet->key.dport;
    scratch->steered.last_seen_ns = now;
    if (bpf_map_update_elem(&steered, &scratch->alias, &scratch->steered, BPF_NOEXIST) != 0) {
        count_state(STEM_STATES_REFUSED_FULL);
        return STEM_PROXY_REFUSED;
    }
    __sync_fetch_and_add(&usage->steered, 1);
    count_state(STEM_STATES_STEERED);
    return STEM_CONTINUE;
}

/* 1: from outside, to an inside address that is not the proxy's. */
static __always_inline int calls_through_proxy(const struct packet* packet, const struct stem_proxy* proxy) {
    return packet->key.direction == STEM_INBOUND && !same_address(&packet->key.dst, &proxy->address) &&
           !same_address(&packet->key.src, &proxy->address) &&
           !is_group(&packet->key.dst, packet->ip_version == 4);
}

/* Back from the proxy: as from the address that was called. */
static __always_inline enum stem_reason answer_datagram(struct xdp_md* context, struct packet* packet,
                                                        struct state_scratch* scratch,
                                                        const struct stem_proxy* proxy,
                                                        enum stem_reason reason) {
    struct stem_steered* entry = bpf_map_lookup_elem(&steered, &scratch->alias);
    const int changes = packet->after == AFTER_SIP_PASSES;
    if (!changes) { /* stemd knows whose call it is, even where the entry has run out */
        packet->proxied = entry || (proxy && same_address(&packet->key.src, &proxy->address));
    }
    if (!entry) {
        return reason;
    }
    entry->last_seen_ns = now_ns();
    entry->answered = 1;
    if (!changes) {
        return reason;
    }
    scratch->source = entry->called;
    return rewrite(context, packet, &scratch->source, entry->called_port, REWRITE_SOURCE) == 0
               ? reason
               : STEM_INTERNAL;
}

/* UDP on its way to stemd is marked, and what passes stemd by is changed here: `reason`, or why not. */
__noinline int steer_datagram(struct xdp_md* context, struct packet* packet, enum stem_reason reason) {
    struct state_scratch* scratch = scratch_for_state();
    if (!packet || !scratch) {
        return STEM_INTERNAL;
    }
    if (packet->key.protocol != IPPROTO_UDP || !packet->l4_offset) {
        return reason;
    }
    const struct stem_proxy* proxy = proxy_of(packet);
    /* A fragment cannot be changed without the others: only stemd has them all. */
    if (packet->fragment && packet->after == AFTER_SIP_PASSES) {
        return proxy && calls_through_proxy(packet, proxy) ? STEM_PROXY_REFUSED : reason;
    }
    state_key_of(packet, &scratch->alias);
    if (packet->key.direction == STEM_OUTBOUND) {
        return answer_datagram(context, packet, scratch, proxy, reason);
    }
    if (!proxy || !calls_through_proxy(packet, proxy)) {
        return reason;
    }
    if (!station_known(proxy)) {
        return STEM_PROXY_REFUSED;
    }
    scratch->alias.inside = proxy->address;
    scratch->alias.inside_port = proxy->port;
    const enum stem_reason fault = note_steered(packet, scratch);
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    if (!set_station(context, proxy->mac)) {
        return STEM_PROXY_REFUSED;
    }
    if (packet->after == AFTER_SIP_PASSES) {
        return rewrite(context, packet, &scratch->alias.inside, scratch->alias.inside_port,
                       REWRITE_DESTINATION) == 0
                   ? reason
                   : STEM_INTERNAL;
    }
    packet->proxied = 1;
    packet->key.dst = scratch->alias.inside; /* for the FIB: it leaves for the proxy */
    return reason;
}

/* TCP on its way to stemd, which talks to both ends: a client's is marked, and made ready to leave for the
 * proxy. `reason`, or why not. */
__noinline int mark_connection(struct xdp_md* context, struct packet* packet, enum stem_reason reason) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    const struct stem_proxy* proxy = proxy_of(packet);
    if (!proxy || !calls_through_proxy(packet, proxy)) {
        return reason;
    }
    if (!station_known(proxy) || !set_station(context, proxy->mac)) {
        return STEM_PROXY_REFUSED;
    }
    packet->proxied = 1;
    packet->key.dst = proxy->address; /* for the FIB */
    return reason;
}

/* TCP to a SIP port while stemd is away: its connection is steered whole, here. STEM_PROXY; why not;
 * `reason`: not the proxy's. */
__noinline int steer_connection(struct xdp_md* context, struct packet* packet, enum stem_reason reason) {
    struct state_scratch* scratch = scratch_for_state();
    struct stem_state_usage* usage = usage_of_states();
    if (!packet || !scratch || !usage) {
        return STEM_INTERNAL;
    }
    const struct stem_proxy* proxy = proxy_of(packet);
    if (!proxy || packet->key.protocol != IPPROTO_TCP || !packet->payload_offset ||
        !calls_through_proxy(packet, proxy)) {
        return reason;
    }
    if (!station_known(proxy)) {
        return STEM_PROXY_REFUSED;
    }
    struct stem_state* state = &scratch->state;
    __builtin_memset(state, 0, sizeof(*state));
    state->phase = STEM_STATE_SYN_SENT;
    state->proxy = proxy->address;
    state->proxy_port = proxy->port;
    __builtin_memcpy(state->proxy_mac, proxy->mac, sizeof(state->proxy_mac));
    enum stem_reason fault = first_syn(context, packet, &state->end[STEM_INBOUND]);
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    state_key_of(packet, &scratch->key);
    scratch->alias = scratch->key;
    scratch->alias.inside = state->proxy;
    scratch->alias.inside_port = state->proxy_port;
    /* The same port of the client, to another called address or to the proxy itself: the proxy could not tell
     * the two connections apart. */
    if (bpf_map_lookup_elem(&steered, &scratch->alias) || bpf_map_lookup_elem(&states, &scratch->alias)) {
        return STEM_PROXY_REFUSED;
    }
    fault = begin_state(packet, scratch);
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    fault = note_steered(packet, scratch);
    if (fault != STEM_CONTINUE) {
        forget_state(&scratch->key, state, usage);
        return fault;
    }
    if (!set_station(context, state->proxy_mac)) {
        return STEM_PROXY_REFUSED;
    }
    return rewrite(context, packet, &state->proxy, state->proxy_port, REWRITE_DESTINATION) == 0
               ? STEM_PROXY
               : STEM_INTERNAL;
}

#endif
