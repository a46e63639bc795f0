/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Kept connections: their table, their time-outs, and what bounds them. docs/decisions/0010 has the reasons.
 *
 * Nothing here is ever evicted for a newcomer: a full table refuses. What a flood may take is bounded by
 * source, by side, and by the time that an unanswered connection has, which shrinks as the table fills.
 *
 * Writes states, steered, state_sources, state_usage, state_counters.
 */
#ifndef STEM_BPF_STATE_H
#define STEM_BPF_STATE_H

#include "address.h"
#include "bucket.h"
#include "clock.h"
#include "maps.h"
#include "octets.h"
#include "packet.h"
#include "threshold.h"

#define STATE_NS_PER_SECOND 1000000000ull
/* Nobody has swept for so long: stemd is away, and a full table is swept here. */
#define STATE_SWEEP_OVERDUE_NS (10 * STATE_NS_PER_SECOND)

static __always_inline struct stem_state_usage* usage_of_states(void) {
    const __u32 zero = 0;
    return bpf_map_lookup_elem(&state_usage, &zero);
}

static __always_inline struct state_scratch* scratch_for_state(void) {
    const __u32 zero = 0;
    return bpf_map_lookup_elem(&state_scratch, &zero);
}

static __always_inline void count_state(__u32 which) {
    __u64* count = bpf_map_lookup_elem(&state_counters, &which);
    if (count) {
        (*count)++;
    }
}

/* `client` is the packet's sender if it comes in, else whom it goes to: the outside end. */
static __always_inline void state_key_of(const struct packet* packet, struct stem_state_key* key) {
    const struct stem_flow_key* from = &packet->key;
    if (from->direction == STEM_INBOUND) {
        key->inside = from->dst;
        key->outside = from->src;
        key->inside_port = from->dport;
        key->outside_port = from->sport;
    } else {
        key->inside = from->src;
        key->outside = from->dst;
        key->inside_port = from->sport;
        key->outside_port = from->dport;
    }
    key->protocol = from->protocol;
    __builtin_memset(key->zero, 0, sizeof(key->zero));
}

/* How full the table is, percent. */
static __always_inline __u32 fill_of(__s64 entries) {
    return entries <= 0 ? 0 : (__u32)((__u64)entries * 100 / (stem_states_max ? stem_states_max : 1));
}

/* As pf does it: above the mark, the time goes down in a line to nothing, but never under a second. */
static __always_inline __u64 shrunk(__u64 seconds, __u32 fill, __u32 mark) {
    if (fill <= mark || mark >= 100) {
        return seconds * STATE_NS_PER_SECOND;
    }
    const __u64 left = fill >= 100 ? 0 : seconds * STATE_NS_PER_SECOND * (100 - fill) / (100 - mark);
    return left > STATE_NS_PER_SECOND ? left : STATE_NS_PER_SECOND;
}

static __always_inline __u64 time_of_phase(__u32 phase, const struct stem_thresholds* limits, __u32 fill) {
    switch (phase) {
    case STEM_STATE_ESTABLISHED:
        return limits->state_tcp_established * STATE_NS_PER_SECOND;
    case STEM_STATE_CLOSING:
        return limits->state_tcp_closing * STATE_NS_PER_SECOND;
    case STEM_STATE_CLOSED:
        return limits->state_tcp_closed * STATE_NS_PER_SECOND;
    case STEM_STATE_ANSWERED:
        return limits->state_udp_answered * STATE_NS_PER_SECOND;
    case STEM_STATE_ASKED:
        return shrunk(limits->state_udp_asked, fill, limits->state_shrink_from);
    case STEM_STATE_ECHO:
        return shrunk(limits->state_icmp, fill, limits->state_shrink_from);
    default:
        return shrunk(limits->state_tcp_opening, fill, limits->state_shrink_from);
    }
}

static __always_inline int state_expired(const struct stem_state* state, __u64 now,
                                         const struct stem_thresholds* limits, __u32 fill) {
    return state->last_seen_ns + time_of_phase(state->phase, limits, fill) <= now;
}

static __always_inline int steered_expired(const struct stem_steered* entry, __u64 now,
                                           const struct stem_thresholds* limits, __u32 fill) {
    return entry->last_seen_ns +
               time_of_phase(entry->answered ? STEM_STATE_ANSWERED : STEM_STATE_ASKED, limits, fill) <=
           now;
}

/* Who is charged: IPv6 hosts by their /64, as one host may use all of it. */
static __always_inline void source_of(const struct stem_state_key* key, __u32 origin,
                                      struct stem_addr* source) {
    *source = origin == STEM_INBOUND ? key->outside : key->inside;
    __u64 high;
    __builtin_memcpy(&high, source->octet, sizeof(high));
    if (high != 0) { /* an IPv4 address begins with zeros */
        __builtin_memset(&source->octet[8], 0, 8);
    }
}

/* Only who really removed the entry may count it. */
static __always_inline void forget_steered(const struct stem_state_key* key, struct stem_state_usage* usage) {
    if (bpf_map_delete_elem(&steered, key) == 0) {
        __sync_fetch_and_add(&usage->steered, -1);
    }
}

static __always_inline void forget_state(const struct stem_state_key* key, const struct stem_state* state,
                                         struct stem_state_usage* usage) {
    struct stem_state_key alias = *key;
    struct stem_addr source;
    source_of(key, state->origin, &source);
    const __u16 proxy_port = state->proxy_port;
    alias.inside = state->proxy;
    alias.inside_port = proxy_port;
    if (bpf_map_delete_elem(&states, key) != 0) {
        return;
    }
    __sync_fetch_and_add(&usage->states, -1);
    count_state(STEM_STATES_EXPIRED);
    struct stem_state_source* owner = bpf_map_lookup_elem(&state_sources, &source);
    if (owner && owner->states > 0) {
        __sync_fetch_and_add(&owner->states, -1);
    }
    if (proxy_port) {
        forget_steered(&alias, usage);
    }
}

struct bpf_map;

struct sweeping {
    const struct stem_thresholds* limits;
    struct stem_state_usage* usage;
    __u64 now;
    __u32 all;
    __u32 removed;
};

static long sweep_state(struct bpf_map* map, struct stem_state_key* key, struct stem_state* state,
                        struct sweeping* about) {
    (void)map;
    if (about->all || state_expired(state, about->now, about->limits, fill_of(about->usage->states))) {
        forget_state(key, state, about->usage);
        about->removed++;
    }
    return 0;
}

static long sweep_steered(struct bpf_map* map, struct stem_state_key* key, struct stem_steered* entry,
                          struct sweeping* about) {
    (void)map;
    int over;
    if (key->protocol == IPPROTO_TCP) { /* lives as long as its connection */
        struct stem_state_key whole = *key;
        whole.inside = entry->called;
        whole.inside_port = entry->called_port;
        over = bpf_map_lookup_elem(&states, &whole) == NULL;
    } else {
        over = steered_expired(entry, about->now, about->limits, fill_of(about->usage->steered));
    }
    if (over || about->all) {
        forget_steered(key, about->usage);
        about->removed++;
    }
    return 0;
}

/* Takes out what is over, or everything: walks both tables whole. Gives how many. */
__noinline int sweep_states(int all) {
    const __u32 zero = 0;
    struct sweeping about = {
        .limits = bpf_map_lookup_elem(&thresholds, &zero),
        .usage = usage_of_states(),
        .now = now_ns(),
        .all = all != 0,
    };
    if (!about.limits || !about.usage) {
        return 0;
    }
    about.usage->swept_ns = about.now;
    bpf_for_each_map_elem(&states, sweep_state, &about, 0);
    bpf_for_each_map_elem(&steered, sweep_steered, &about, 0);
    return (int)about.removed;
}

/* 1 if one more fits. Unknown sources from outside may not take the last quarter: it is for connections that
 * begin inside, and for known peers. */
static __always_inline int room_for(const struct packet* packet, __s64 entries) {
    const __s64 room = (__s64)stem_states_max;
    if (entries < room - room / 4) {
        return 1;
    }
    return entries < room && (packet->key.direction == STEM_OUTBOUND || known_peer(&packet->key.src));
}

/* The same; a full table that nobody sweeps is swept first. */
static __always_inline int make_room(const struct packet* packet, struct stem_state_usage* usage,
                                     const __s64* entries) {
    if (room_for(packet, *(volatile const __s64*)entries)) {
        return 1;
    }
    if (usage->swept_ns + STATE_SWEEP_OVERDUE_NS > now_ns()) {
        return 0;
    }
    sweep_states(0);
    return room_for(packet, *(volatile const __s64*)entries);
}

/* The source's bucket and count; charges nothing yet but the bucket. */
static __always_inline struct stem_state_source*
charge_state_source(const struct stem_addr* source, const struct stem_thresholds* limits, __u64 now) {
    const __u64 cost = STATE_NS_PER_SECOND / (limits->state_source_rate ? limits->state_source_rate : 1);
    struct stem_state_source* owner = bpf_map_lookup_elem(&state_sources, source);
    if (!owner) {
        const struct stem_state_source fresh = {};
        bpf_map_update_elem(&state_sources, source, &fresh, BPF_NOEXIST);
        owner = bpf_map_lookup_elem(&state_sources, source);
        if (!owner) {
            return NULL;
        }
    }
    if (owner->states >= (__s64)limits->state_source_max) {
        return NULL;
    }
    const __u64 next = bucket_take(owner->full_at_ns, now, cost, STATE_NS_PER_SECOND);
    if (!next) {
        return NULL;
    }
    owner->full_at_ns = next;
    return owner;
}

/* Writes the connection in `scratch` (key, and of the state what its protocol says); its first packet is
 * `packet`. STEM_CONTINUE, or why not. */
static __always_inline enum stem_reason begin_state(const struct packet* packet,
                                                    struct state_scratch* scratch) {
    struct stem_state_usage* usage = usage_of_states();
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!usage || !limits) {
        return STEM_INTERNAL;
    }
    if (!make_room(packet, usage, &usage->states)) {
        count_state(STEM_STATES_REFUSED_FULL);
        return STEM_STATE_FULL;
    }
    const __u64 now = now_ns();
    source_of(&scratch->key, packet->key.direction, &scratch->source);
    struct stem_state_source* owner = charge_state_source(&scratch->source, limits, now);
    if (!owner) {
        count_state(STEM_STATES_REFUSED_SOURCE);
        return STEM_STATE_FULL;
    }
    struct stem_state* state = &scratch->state;
    state->created_ns = now;
    state->last_seen_ns = now;
    state->origin = packet->key.direction;
    state->packets[packet->key.direction & 1] = 1;
    state->bytes[packet->key.direction & 1] = packet->ip_length;
    if (bpf_map_update_elem(&states, &scratch->key, state, BPF_NOEXIST) != 0) {
        count_state(STEM_STATES_REFUSED_FULL); /* or another CPU was first: the repetition will find it */
        return STEM_STATE_FULL;
    }
    __sync_fetch_and_add(&owner->states, 1);
    __sync_fetch_and_add(&usage->states, 1);
    count_state(STEM_STATES_CREATED);
    return STEM_CONTINUE;
}

#endif
