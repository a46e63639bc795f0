/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Signalling monitor: what goes to stemd is counted and held to budgets here, before AF_XDP's ring and the
 * parser have any work with it. By signalling stream (INVITEs), by source and IPv6 /64 (each kind of message,
 * and octets), and, for sources that nobody knows, all together (lane.h).
 *
 * Known peers have larger budgets, by the phones behind them; trunks and addresses inside much larger ones.
 * A stream that floods INVITEs is blocked (stream.h); so is the signalling, and only that, of a source that
 * sends a multiple of its budget. The excess of a known peer is dropped without a block until that multiple.
 *
 * A blocked source's entry could be pushed out of sip_sources, an LRU map, by whoever sends from many
 * addresses: so its block is in sip_blocked_sources as well, which is looked at where the entry is made anew.
 *
 * Reads thresholds, posture and peers; writes sip_sources, sip_blocked_sources, sip_streams, sip_asked,
 * sip_counts. Up to five hash lookups for a packet that goes to stemd, which costs a hundred times as much
 * there; two when the unknown's lane is full. One more for a source's first, and for what a block drops.
 */
#ifndef STEM_BPF_SIGNALLING_H
#define STEM_BPF_SIGNALLING_H

#include "bound.h"
#include "lane.h"
#include "method.h"
#include "stream.h"

#define NS_PER_MILLISECOND 1000000ull
/* How long after a request from inside the answers of an address outside are expected ones: Timer C (RFC 3261
 * 16.6) is three minutes. */
#define ASKED_NS (240 * NS_PER_SECOND)

/* Constants, as the stack has no room for them. */
static const struct stem_sip_source unused_source = {};
static const struct stem_sip_stream unused_stream = {};

/* Whose packet this is, and what that allows it. */
struct sip_sender {
    __u64 scale; /* budgets are so many times an unknown source's */
    __u32 known; /* goes by the known lane */
    __u32 trunk; /* never blocked */
};

static __always_inline __u32 source_rate(const struct stem_thresholds* limits, enum stem_sip_kind kind) {
    switch (kind) {
    case STEM_SIP_KIND_INVITE:
        return limits->sip_invites;
    case STEM_SIP_KIND_REGISTER:
        return limits->sip_registers;
    case STEM_SIP_KIND_OPTIONS:
        return limits->sip_options;
    case STEM_SIP_KIND_RESPONSE:
        return limits->sip_responses;
    case STEM_SIP_KIND_NOISE:
        return limits->sip_noise;
    case STEM_SIP_KIND_SEGMENT:
        return limits->sip_segments;
    default:
        return limits->sip_requests;
    }
}

static __always_inline enum stem_reason rate_reason(enum stem_sip_kind kind) {
    switch (kind) {
    case STEM_SIP_KIND_INVITE:
        return STEM_SIP_INVITE_RATE;
    case STEM_SIP_KIND_REGISTER:
        return STEM_SIP_REGISTER_RATE;
    case STEM_SIP_KIND_RESPONSE:
        return STEM_SIP_RESPONSE_RATE;
    case STEM_SIP_KIND_NOISE:
        return STEM_SIP_NOISE_RATE;
    case STEM_SIP_KIND_SEGMENT:
        return STEM_SIP_SEGMENT_RATE;
    default:
        return STEM_SIP_REQUEST_RATE;
    }
}

/* Has something inside asked this address of late? */
static __always_inline int was_asked(const struct stem_addr* address, __u64 now) {
    const struct stem_addr source = *address; /* on the stack, as Linux 6.1 wants its keys */
    const __u64* asked = bpf_map_lookup_elem(&sip_asked, &source);
    return asked && now < *asked + ASKED_NS;
}

static __always_inline void find_sender(struct sip_sender* sender, const struct stem_thresholds* limits,
                                        const struct packet* packet, enum stem_sip_kind kind, __u64 now) {
    sender->scale = 1;
    sender->known = 0;
    sender->trunk = 0;
    if (packet->key.direction == STEM_OUTBOUND) {
        sender->known = 1;
        sender->trunk = 1;
        sender->scale = limits->sip_trunk_factor;
    }
    const struct stem_peer* peer = known_peer(&packet->key.src);
    if (peer) {
        const __u64 phones = peer->phones ? peer->phones : 1;
        __u64 scale = phones * limits->sip_known_factor;
        if (peer->kinds & (STEM_PEER_TRUNK | STEM_PEER_CONFIGURED)) {
            sender->trunk = 1;
            if (scale < limits->sip_trunk_factor) {
                scale = limits->sip_trunk_factor;
            }
        }
        sender->known = 1;
        if (sender->scale < scale) {
            sender->scale = scale;
        }
    } else if ((kind == STEM_SIP_KIND_RESPONSE || kind == STEM_SIP_KIND_SEGMENT) && !sender->known) {
        sender->known = was_asked(&packet->key.src, now);
    }
}

static __always_inline void note_asked(const struct packet* packet, __u64 now) {
    const struct stem_addr whom = packet->key.dst; /* on the stack, as Linux 6.1 wants its keys */
    __u64* asked = bpf_map_lookup_elem(&sip_asked, &whom);
    if (asked) {
        *asked = now;
    } else {
        bpf_map_update_elem(&sip_asked, &whom, &now, BPF_ANY);
    }
}

static __always_inline struct stem_sip_count* signalling_count(const struct packet* packet,
                                                               enum stem_sip_kind kind) {
    const __u32 index = stem_sip_count_index(kind, (enum stem_direction)packet->key.direction);
    return bpf_map_lookup_elem(&sip_counts, &index);
}

/* A stream that there is no room to block is held to its budget. */
static __always_inline enum stem_reason block_inviter(const struct packet* packet, __u64 stream,
                                                      const struct stem_thresholds* limits, __u64 now) {
    const int full = block_stream(packet, stream, limits, now);
    struct stem_sip_count* count = signalling_count(packet, STEM_SIP_KIND_INVITE);
    if (count) {
        *(full ? &count->streams_not_blocked : &count->stream_blocks) += 1;
    }
    return full ? STEM_SIP_INVITE_RATE : STEM_SIP_STREAM_BLOCKED;
}

/* INVITEs of one stream. An unknown stream is blocked by the first one above its budget. */
static __always_inline enum stem_reason charge_stream(const struct stem_thresholds* limits,
                                                      const struct packet* packet,
                                                      const struct sip_sender* sender, __u64 stream,
                                                      __u64 now) {
    struct stem_sip_stream* budget = bpf_map_lookup_elem(&sip_streams, &stream);
    if (!budget) {
        bpf_map_update_elem(&sip_streams, &stream, &unused_stream, BPF_NOEXIST);
        budget = bpf_map_lookup_elem(&sip_streams, &stream);
        if (!budget) {
            return STEM_CONTINUE; /* no room at all: its source is still counted */
        }
    }
    const __u64 burst = limits->sip_interval * NS_PER_MILLISECOND;
    const __u64 cost = NS_PER_SECOND / (limits->sip_stream_invites * sender->scale);
    const __u64 next =
        bucket_take(bucket_within(budget->full_at_ns, now, burst + cost + BUCKET_SKEW_NS), now, cost, burst);
    if (sender->trunk || !sender->known) {
        if (!next && !sender->trunk) {
            return block_inviter(packet, stream, limits, now);
        }
    } else if (limits->sip_block_multiple) {
        const __u64 block_next =
            block_take(budget->block_full_at_ns, now, cost / limits->sip_block_multiple, burst);
        if (!block_next) {
            return block_inviter(packet, stream, limits, now);
        }
        budget->block_full_at_ns = block_next;
    }
    if (!next) {
        return STEM_SIP_INVITE_RATE;
    }
    budget->full_at_ns = next;
    return STEM_CONTINUE;
}

/* One that is made anew gets the block back that it may have had. */
static __always_inline struct stem_sip_source* source_entry(const struct stem_sip_source_key* key) {
    struct stem_sip_source* entry = bpf_map_lookup_elem(&sip_sources, key);
    if (!entry) {
        bpf_map_update_elem(&sip_sources, key, &unused_source, BPF_NOEXIST);
        entry = bpf_map_lookup_elem(&sip_sources, key);
        const struct stem_sip_blocked_source* blocked = bpf_map_lookup_elem(&sip_blocked_sources, key);
        if (entry && blocked) {
            entry->blocked_until_ns = blocked->until_ns;
            entry->strikes = blocked->strikes;
        }
    }
    return entry;
}

static __always_inline void count_blocked(const struct stem_sip_source_key* key) {
    struct stem_sip_blocked_source* blocked = bpf_map_lookup_elem(&sip_blocked_sources, key);
    if (blocked) {
        blocked->packets++;
    }
}

/* Keeps the block that `entry` has, where no flood can push it out. */
static __always_inline void keep_block(const struct packet* packet, const struct stem_sip_source_key* key,
                                       const struct stem_sip_source* entry, enum stem_sip_kind kind,
                                       __u64 now) {
    struct stem_sip_blocked_source* there = bpf_map_lookup_elem(&sip_blocked_sources, key);
    long full = 0;
    if (there) {
        there->until_ns = entry->blocked_until_ns;
        there->since_ns = now;
        there->strikes = entry->strikes;
    } else {
        const struct stem_sip_blocked_source fresh = {
            .until_ns = entry->blocked_until_ns, .since_ns = now, .strikes = entry->strikes};
        full = bpf_map_update_elem(&sip_blocked_sources, key, &fresh, BPF_ANY);
    }
    struct stem_sip_count* count = signalling_count(packet, kind);
    if (count) {
        count->source_blocks++;
        count->sources_not_kept += full ? 1 : 0;
    }
}

/* All that one source sends: by kind, in octets, and whether it is blocked or is to be. A function of its
 * own: it is used for the address and for its /64, with `scale` and `trunk` as of struct sip_sender. */
__noinline int charge_source(const struct packet* packet, __u32 prefix_length, __u32 kind, __u64 scale,
                             __u32 trunk) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!packet || !limits || !scale) {
        return STEM_INTERNAL;
    }
    struct stem_sip_source_key key = {.source = packet->key.src, .prefix_length = prefix_length};
    if (prefix_length == 64) {
        __builtin_memset(&key.source.octet[8], 0, 8);
    }
    struct stem_sip_source* entry = source_entry(&key);
    if (!entry) {
        return STEM_INTERNAL;
    }
    const __u64 now = now_ns();
    if (entry->blocked_until_ns > now && !trunk) {
        count_blocked(&key);
        return STEM_SIP_SOURCE_BLOCKED;
    }
    const __u64 burst = limits->sip_interval * NS_PER_MILLISECOND;
    const __u64 cost = NS_PER_SECOND / (source_rate(limits, (enum stem_sip_kind)kind) * scale);
    if (limits->sip_block_multiple && !trunk) {
        const __u64 next = block_take(entry->block_full_at_ns, now, cost / limits->sip_block_multiple, burst);
        if (!next) {
            const __u32 strikes = strikes_left(limits, entry->strikes, entry->blocked_until_ns, now);
            entry->blocked_until_ns = now + block_ns(limits, strikes);
            entry->strikes = strikes + 1;
            keep_block(packet, &key, entry, (enum stem_sip_kind)(kind % STEM_SIP_KINDS), now);
            return STEM_SIP_SOURCE_BLOCKED;
        }
        entry->block_full_at_ns = next;
    }
    __u64* bucket = &entry->full_at_ns[bounded(kind, STEM_SIP_KINDS)];
    const __u64 next =
        bucket_take(bucket_within(*bucket, now, burst + cost + BUCKET_SKEW_NS), now, cost, burst);
    if (!next) {
        return rate_reason((enum stem_sip_kind)kind);
    }
    const __u64 byte_cost = packet->ip_length * NS_PER_SECOND / (limits->sip_bytes * scale);
    const __u64 bytes_next = bucket_take(entry->bytes_full_at_ns, now, byte_cost, burst);
    if (!bytes_next) {
        return STEM_SIP_BYTE_RATE;
    }
    *bucket = next;
    entry->bytes_full_at_ns = bytes_next;
    return STEM_CONTINUE;
}

static __always_inline enum stem_reason judge_budgets(struct packet* packet,
                                                      const struct stem_thresholds* limits,
                                                      enum stem_sip_kind kind, __u64 now) {
    const __u64 stream = stream_of(packet);
    if (stream_is_blocked(stream, now)) {
        return STEM_SIP_STREAM_BLOCKED;
    }
    struct sip_sender sender;
    find_sender(&sender, limits, packet, kind, now);
    if (!sender.known && !lane_has_room(limits, kind, now)) {
        return STEM_SIP_UNKNOWN_LANE;
    }
    /* The stream first: what it has too much is not taken from its neighbours behind the same address. */
    enum stem_reason reason =
        kind == STEM_SIP_KIND_INVITE ? charge_stream(limits, packet, &sender, stream, now) : STEM_CONTINUE;
    if (reason == STEM_CONTINUE) {
        reason = (enum stem_reason)charge_source(packet, 128, kind, sender.scale, sender.trunk);
    }
    if (reason == STEM_CONTINUE && !sender.known && packet->ip_version == 6 && limits->sip_prefix_factor) {
        reason = (enum stem_reason)charge_source(packet, 64, kind, limits->sip_prefix_factor, 0);
    }
    if (reason == STEM_CONTINUE && !sender.known && !lane_lets_in(limits, kind, packet->ip_length, now)) {
        reason = STEM_SIP_UNKNOWN_LANE;
    }
    packet->lane = sender.known ? STEM_LANE_KNOWN : STEM_LANE_UNKNOWN;
    return reason;
}

static __always_inline void count_signalling(const struct packet* packet, enum stem_sip_kind kind,
                                             enum stem_reason reason) {
    struct stem_sip_count* count = signalling_count(packet, kind);
    if (!count) {
        return;
    }
    if (reason == STEM_CONTINUE) {
        count->steered[bounded(packet->lane, STEM_LANES)]++;
    } else if (reason == STEM_SIP_UNKNOWN_LANE) {
        count->over_lane++;
    } else {
        count->limited++;
    }
}

static __always_inline int begins_connection(const struct packet* packet) {
    return packet->key.protocol == IPPROTO_TCP && (packet->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* May this packet go to stemd? Gives an enum stem_reason, STEM_CONTINUE if it may, and sets its lane. */
__noinline int judge_signalling(struct xdp_md* context, struct packet* packet) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!packet || !limits) {
        return STEM_INTERNAL;
    }
    const __u64 now = now_ns();
    /* A later fragment shows nothing: it counts as some request. */
    const enum stem_sip_kind kind = packet->l4_offset ? sip_kind_of(context, packet) : STEM_SIP_KIND_REQUEST;
    const enum stem_reason reason = judge_budgets(packet, limits, kind, now);
    count_signalling(packet, kind, reason);
    if (reason == STEM_CONTINUE && packet->key.direction == STEM_OUTBOUND &&
        (kind < STEM_SIP_KIND_RESPONSE || begins_connection(packet))) {
        note_asked(packet, now);
    }
    return reason;
}

#endif
