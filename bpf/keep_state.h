/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The two stages of kept connections: a packet is looked up among them before the rules are asked, and a rule
 * with keep_state begins one. IP fragments are not followed: they match no connection and begin none.
 *
 * Costs a packet one lookup once there is a connection at all, and nothing before.
 */
#ifndef STEM_BPF_KEEP_STATE_H
#define STEM_BPF_KEEP_STATE_H

#include "proxy.h"
#include "state.h"
#include "state_icmp.h"
#include "state_tcp.h"

enum echo_type {
    ECHO_REQUEST = 8,
    ECHO_REPLY = 0,
    ECHO_REQUEST_V6 = 128,
    ECHO_REPLY_V6 = 129,
};

static __always_inline int is_icmp(const struct packet* packet) {
    return packet->key.protocol == IPPROTO_ICMP || packet->key.protocol == IPPROTO_ICMPV6;
}

static __always_inline int is_echo_request(const struct packet* packet) {
    return packet->icmp_type == (packet->ip_version == 4 ? ECHO_REQUEST : ECHO_REQUEST_V6);
}

static __always_inline int is_echo_reply(const struct packet* packet) {
    return packet->icmp_type == (packet->ip_version == 4 ? ECHO_REPLY : ECHO_REPLY_V6);
}

/* The identifier of an echo stands for both ports. */
static __always_inline void key_of_echo(const struct xdp_md* context, const struct packet* packet,
                                        struct stem_state_key* key) {
    const __be16* identifier = octets_at(context, (__u32)packet->l4_offset + 4, 2);
    const __u16 number = identifier ? from_be16(*identifier) : 0;
    key->inside_port = number;
    key->outside_port = number;
}

/* Not TCP: whoever did not begin is answering. */
static __always_inline enum stem_reason judge_exchange(const struct packet* packet,
                                                       struct stem_state* state) {
    const int first_speaker = packet->key.direction == state->origin;
    if (state->phase == STEM_STATE_ECHO) {
        return (first_speaker ? is_echo_request(packet) : is_echo_reply(packet)) ? STEM_STATE : STEM_CONTINUE;
    }
    if (!first_speaker) {
        state->phase = STEM_STATE_ANSWERED;
    }
    return STEM_STATE;
}

static __always_inline void touch_state(const struct packet* packet, struct stem_state* state, __u64 now) {
    const __u32 direction = packet->key.direction & 1;
    state->last_seen_ns = now;
    state->packets[direction]++;
    state->bytes[direction] += packet->ip_length;
}

/* What answers a steered connection carries the proxy's addresses: its state is found by the called one's. */
static __always_inline struct stem_state*
find_steered(const struct packet* packet, const struct stem_state_usage* usage, struct stem_state_key* key) {
    if (usage->steered <= 0 || key->protocol != IPPROTO_TCP || packet->key.direction != STEM_OUTBOUND) {
        return NULL;
    }
    const struct stem_steered* entry = bpf_map_lookup_elem(&steered, key);
    if (!entry) {
        return NULL;
    }
    key->inside = entry->called;
    key->inside_port = entry->called_port;
    return bpf_map_lookup_elem(&states, key);
}

/* STEM_STATE, STEM_STATE_RELATED, STEM_PROXY; why not; or STEM_CONTINUE: of no kept connection. */
__noinline int judge_state(struct xdp_md* context, struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    struct stem_state_usage* usage = usage_of_states();
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!usage || !limits) {
        return STEM_INTERNAL;
    }
    if (usage->states <= 0 || packet->fragment || !packet->ip_version) {
        return STEM_CONTINUE;
    }
    struct stem_state_key key;
    state_key_of(packet, &key);
    if (is_icmp(packet)) {
        if (is_icmp_error(packet)) {
            return judge_icmp_error(context, packet);
        }
        if (!is_echo_request(packet) && !is_echo_reply(packet)) {
            return STEM_CONTINUE;
        }
        key_of_echo(context, packet, &key);
    }
    struct stem_state* state = bpf_map_lookup_elem(&states, &key);
    if (!state) {
        state = find_steered(packet, usage, &key);
        if (!state) {
            return STEM_CONTINUE;
        }
    }
    const __u64 now = now_ns();
    if (state_expired(state, now, limits, fill_of(usage->states))) {
        forget_state(&key, state, usage);
        return STEM_CONTINUE;
    }
    const enum stem_reason verdict =
        key.protocol == IPPROTO_TCP ? judge_tcp(context, packet, state) : judge_exchange(packet, state);
    if (verdict == STEM_STATE) {
        touch_state(packet, state, now);
        return state->proxy_port ? carry_steered(context, packet, state, &key) : STEM_STATE;
    }
    if (verdict == STEM_STATE_WINDOW) {
        count_state(STEM_STATES_REFUSED_WINDOW);
    }
    if (verdict == STEM_CONTINUE && key.protocol == IPPROTO_TCP) {
        forget_state(&key, state, usage); /* closed, and its ports are used anew */
    }
    return verdict;
}

/* A rule with keep_state lets this packet through, and what answers it: `passed`, or why not. */
__noinline int keep_state(struct xdp_md* context, struct packet* packet, enum stem_reason passed) {
    struct state_scratch* scratch = scratch_for_state();
    if (!packet || !scratch) {
        return STEM_INTERNAL;
    }
    if (packet->fragment) {
        return STEM_FRAGMENT;
    }
    if (!packet->ip_version || (is_icmp(packet) && !is_echo_request(packet))) {
        return passed; /* nothing to answer */
    }
    struct stem_state* state = &scratch->state;
    __builtin_memset(state, 0, sizeof(*state));
    state->phase = STEM_STATE_ASKED;
    state_key_of(packet, &scratch->key);
    if (is_icmp(packet)) {
        key_of_echo(context, packet, &scratch->key);
        state->phase = STEM_STATE_ECHO;
    } else if (packet->key.protocol == IPPROTO_TCP) {
        const enum stem_reason fault = first_syn(context, packet, &state->end[packet->key.direction & 1]);
        if (fault != STEM_CONTINUE) {
            return fault;
        }
        state->phase = STEM_STATE_SYN_SENT;
    }
    const enum stem_reason fault = begin_state(packet, scratch);
    return fault == STEM_CONTINUE ? passed : fault;
}

/* What the packet's verdict left to be done: `reason`, or another. */
static __always_inline enum stem_reason judge_after(struct xdp_md* context, struct packet* packet,
                                                    enum stem_reason reason) {
    switch (packet->after) {
    case AFTER_KEEP_STATE:
        return (enum stem_reason)keep_state(context, packet, reason);
    case AFTER_SIP_STEERED:
        if (packet->key.protocol == IPPROTO_TCP) {
            return (enum stem_reason)mark_connection(context, packet, reason);
        }
        return (enum stem_reason)steer_datagram(context, packet, reason);
    case AFTER_SIP_PASSES:
        return (enum stem_reason)steer_datagram(context, packet, reason);
    case AFTER_SIP_CONNECTION:
        return (enum stem_reason)steer_connection(context, packet, reason);
    default:
        return reason;
    }
}

#endif
