/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Connections to SIP ports that were begun and not completed: how many there are for each server and port.
 * Too many mean that somebody fills the server's backlog, and unknown sources are then asked for proof.
 *
 * A connection is complete when the client acknowledges what the server has answered: who forges a source
 * does not see that, and makes no room by an ACK. What is steered to the SIP proxy counts as the proxy's,
 * whichever address was called.
 *
 * Who began one is kept in an LRU table: under a spoofed flood it forgets, and what is forgotten cannot be
 * taken off the count when it completes. The count is then too high, which only asks for proof earlier.
 *
 * Reads sip_ports, proxies and thresholds; writes half_open and half_open_load. A SYN or an ACK to a SIP
 * port costs two hash lookups, a SYN-ACK from one too.
 */
#ifndef STEM_BPF_HALF_OPEN_H
#define STEM_BPF_HALF_OPEN_H

#include "maps.h"
#include "octets.h"
#include "packet.h"
#include "proxy.h"
#include "settings.h"
#include "steer.h"

/* The client, and the server that gets its SYN, as they are before STEM has changed an address. */
static __always_inline void half_open_key(struct stem_half_open_key* key, const struct packet* packet) {
    __builtin_memset(key, 0, sizeof(*key));
    if (packet->key.direction == STEM_OUTBOUND) {
        key->client = packet->key.dst;
        key->server = packet->key.src;
        key->client_port = packet->key.dport;
        key->server_port = packet->key.sport;
        return;
    }
    key->client = packet->key.src;
    key->server = packet->key.dst;
    key->client_port = packet->key.sport;
    key->server_port = packet->key.dport;
    const struct stem_proxy* proxy = proxy_of(packet);
    if ((stem_modules & STEM_MODULE_SIP_STEERING) && proxy && calls_through_proxy(packet, proxy)) {
        key->server = proxy->address;
        key->server_port = proxy->port;
    }
}

static __always_inline struct stem_half_open_load* half_open_slot(const struct stem_half_open_key* key) {
    __u64 half[2];
    __builtin_memcpy(half, key->server.octet, sizeof(half));
    const __u64 hash = (half[0] ^ half[1] ^ key->server_port) * 0x9e3779b97f4a7c15ull;
    const __u32 slot = (__u32)(hash >> 32) % STEM_HALF_OPEN_SLOTS;
    return bpf_map_lookup_elem(&half_open_load, &slot);
}

static __always_inline __u64 epoch_of(const struct stem_thresholds* limits, __u64 now) {
    return now / ((limits->syn_half_open_seconds ? limits->syn_half_open_seconds : 1) * 500000000ull);
}

/* Two CPUs that begin an epoch at once may lose a few attempts of each other. */
static __always_inline void bring_to_epoch(struct stem_half_open_load* load, __u64 epoch) {
    if (load->epoch != epoch) {
        load->before = load->epoch + 1 == epoch ? load->now : 0;
        load->now = 0;
        load->epoch = epoch;
    }
}

/* A function of its own, as those below: its stack is then used only here. */
__noinline int half_open_is_full(const struct packet* packet, const struct stem_thresholds* limits,
                                 __u64 now) {
    if (!packet || !limits || !limits->syn_half_open || !is_sip_port(packet->key.dport)) {
        return 0;
    }
    struct stem_half_open_key key;
    half_open_key(&key, packet);
    struct stem_half_open_load* load = half_open_slot(&key);
    if (!load) {
        return 0;
    }
    bring_to_epoch(load, epoch_of(limits, now));
    const __s64 count = (load->now > 0 ? load->now : 0) + (load->before > 0 ? load->before : 0);
    return count >= (__s64)limits->syn_half_open;
}

/* A SYN that is let through. Its retransmissions count once. */
__noinline int note_attempt(const struct packet* packet, const struct stem_thresholds* limits, __u64 now) {
    if (!packet || !limits || !limits->syn_half_open || !is_sip_port(packet->key.dport)) {
        return 0;
    }
    struct stem_half_open_key key;
    half_open_key(&key, packet);
    struct stem_half_open_load* load = half_open_slot(&key);
    if (!load) {
        return 0;
    }
    const __u64 epoch = epoch_of(limits, now);
    bring_to_epoch(load, epoch);
    const struct stem_half_open* begun = bpf_map_lookup_elem(&half_open, &key);
    if (begun && (__u32)epoch - begun->epoch <= 1) {
        return 0;
    }
    const struct stem_half_open fresh = {.epoch = (__u32)epoch};
    bpf_map_update_elem(&half_open, &key, &fresh, BPF_ANY);
    __sync_fetch_and_add(&load->now, 1);
    return 1;
}

/* The server's SYN-ACK: what the client has to acknowledge. */
__noinline int note_answer(struct xdp_md* context, const struct packet* packet,
                           const struct stem_thresholds* limits) {
    if (!packet || !limits || !limits->syn_half_open) {
        return 0;
    }
    struct stem_half_open_key key;
    half_open_key(&key, packet);
    struct stem_half_open* begun = bpf_map_lookup_elem(&half_open, &key);
    const struct tcphdr* tcp = octets_at(context, packet->l4_offset, sizeof(*tcp));
    if (!begun || !tcp) {
        return 0;
    }
    begun->answer = __builtin_bswap32(tcp->seq) + 1;
    return 1;
}

/* The client's ACK. The first one completes the connection, the others find nothing. */
__noinline int note_completion(struct xdp_md* context, const struct packet* packet,
                               const struct stem_thresholds* limits, __u64 now) {
    if (!packet || !limits || !limits->syn_half_open || !is_sip_port(packet->key.dport)) {
        return 0;
    }
    struct stem_half_open_key key;
    half_open_key(&key, packet);
    const struct stem_half_open* begun = bpf_map_lookup_elem(&half_open, &key);
    struct stem_half_open_load* load = half_open_slot(&key);
    const struct tcphdr* tcp = octets_at(context, packet->l4_offset, sizeof(*tcp));
    if (!begun || !load || !tcp || !begun->answer || __builtin_bswap32(tcp->ack_seq) != begun->answer) {
        return 0;
    }
    const __u64 epoch = epoch_of(limits, now);
    const __u32 age = (__u32)epoch - begun->epoch;
    bring_to_epoch(load, epoch);
    if (age == 0) {
        __sync_fetch_and_add(&load->now, -1);
    } else if (age == 1) {
        __sync_fetch_and_add(&load->before, -1);
    }
    bpf_map_delete_elem(&half_open, &key);
    return 1;
}

#endif
