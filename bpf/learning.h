/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Peers behind NAT: a packet towards the known end of a stream whose other end is not known yet. See
 * stem/abi/learning.h. Nothing is let through before the lock, and nothing moves it after.
 *
 * Reads and writes learning, writes flows and notices. One hash lookup for UDP that is no flow's.
 */
#ifndef STEM_BPF_LEARNING_H
#define STEM_BPF_LEARNING_H

#include "address.h"
#include "notice.h"
#include "octets.h"
#include "rtp.h"
#include "threshold.h"

#define LEARNING_STEP_MAX 16 /* sequence numbers that a candidate may be ahead of its last packet */

static __always_inline int is_from(const struct stem_addr* address, const struct stem_learning* entry) {
    for (int i = 0; i < 4; i++) {
        if ((stem_addr_word(address, i) & stem_addr_word(&entry->from_mask, i)) !=
            stem_addr_word(&entry->from, i)) {
            return 0;
        }
    }
    return 1;
}

/* RTCP's port is learned beside RTP's: from the same address, and after it. */
static __always_inline int is_beside(const struct packet* packet, const struct stem_learning* entry) {
    const struct stem_learning_key key = {
        .local = packet->key.dst, .port = entry->beside_port, .direction = packet->key.direction};
    const struct stem_learning* rtp = bpf_map_lookup_elem(&learning, &key);
    return rtp && rtp->locked_ns && same_address(&packet->key.src, &rtp->candidate);
}

/* What tells one packet of a candidate from the next. STUN and DTLS tell nothing: their address must do. */
struct candidate_mark {
    __u32 ssrc;
    __u16 sequence;
    __u8 counted; /* 0: `sequence` means nothing */
};

/* 1: so many packets of this candidate, one after the other, that it is the peer. */
static __always_inline int is_consistent(struct stem_learning* entry, const struct packet* packet,
                                         const struct candidate_mark* mark) {
    const struct stem_thresholds* limits = thresholds_in_force();
    if (!limits) {
        return 0;
    }
    const __u16 step = mark->sequence - entry->candidate_sequence;
    const int follows =
        entry->candidate_packets && entry->candidate_port == packet->key.sport &&
        same_address(&entry->candidate, &packet->key.src) &&
        (!mark->counted || (entry->candidate_ssrc == mark->ssrc && step >= 1 && step <= LEARNING_STEP_MAX));
    entry->candidate = packet->key.src;
    entry->candidate_port = packet->key.sport;
    if (mark->counted) {
        entry->candidate_ssrc = mark->ssrc;
        entry->candidate_sequence = mark->sequence;
    }
    entry->candidate_packets = follows ? entry->candidate_packets + 1 : 1;
    return entry->candidate_packets >= limits->rtp_learn_packets;
}

/* The peer is known: both pinholes open here and now. */
static __always_inline enum stem_reason lock_peer(struct stem_learning* entry, const struct packet* packet,
                                                  __u64 now) {
    /* Of two CPUs with two candidates one is first. */
    if (__sync_val_compare_and_swap(&entry->locked_ns, 0, now) != 0) {
        return STEM_RTP_UNLEARNED;
    }
    entry->candidate = packet->key.src;
    entry->candidate_port = packet->key.sport;
    if (entry->opens & STEM_LEARNING_OUT) {
        const struct stem_flow_key back = {
            .src = packet->key.dst,
            .dst = packet->key.src,
            .sport = packet->key.dport,
            .dport = packet->key.sport,
            .direction = packet->key.direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND,
            .protocol = IPPROTO_UDP,
        };
        bpf_map_update_elem(&flows, &back, &entry->out, BPF_NOEXIST);
    }
    if (entry->opens & STEM_LEARNING_IN) {
        const struct stem_flow_key arrived = packet->key; /* on the stack, as Linux 6.1 wants its keys */
        bpf_map_update_elem(&flows, &arrived, &entry->in, BPF_NOEXIST);
    }
    notify(packet, entry->dialog, STEM_NOTICE_LEARNED, STEM_FLOW);
    return entry->opens & STEM_LEARNING_IN ? STEM_FLOW : STEM_RTP_UNLEARNED;
}

static __always_inline int check_rtcp_candidate(struct xdp_md* context, const struct packet* packet,
                                                const struct stem_learning* entry) {
    const struct rtp_start* start = octets_at(context, packet->payload_offset, sizeof(*start));
    return check_form(start, packet->payload_length, &entry->in);
}

/* Is this what was negotiated for the port, RTCP aside? */
static __always_inline int read_mark(struct xdp_md* context, const struct packet* packet,
                                     struct stem_learning* entry, struct candidate_mark* mark, __u64 now) {
    const __u16 length = packet->payload_length;
    if (entry->in.kind == STEM_FLOW_UDPTL) {
        const struct udptl_start* udptl = octets_at(context, packet->payload_offset, sizeof(*udptl));
        if (udptl) {
            mark->sequence = (__u16)((__u32)udptl->sequence[0] << 8 | udptl->sequence[1]);
            mark->counted = 1;
        }
        return check_udptl(udptl, length);
    }
    const struct rtp_header* rtp = octets_at(context, packet->payload_offset, sizeof(rtp->start));
    enum stem_reason fault = check_form(rtp ? &rtp->start : NULL, length, &entry->in);
    if (fault == STEM_RTP_VERSION && (entry->in.flags & (STEM_FLOW_STUN | STEM_FLOW_DTLS))) {
        return judge_beside(context, packet, &entry->in, now);
    }
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    if (is_rtcp_of(&rtp->start, length, &entry->in)) {
        return STEM_RTP_UNLEARNED; /* RTP decides for what shares its port */
    }
    rtp = octets_at(context, packet->payload_offset, sizeof(*rtp));
    if (!rtp) {
        return STEM_RTP_SIZE;
    }
    mark->ssrc = (__u32)rtp->ssrc;
    mark->sequence = from_be16(rtp->start.sequence);
    mark->counted = 1;
    return STEM_CONTINUE;
}

/* Gives an enum stem_reason; STEM_CONTINUE: nothing is learned at this port. */
__noinline int judge_learning(struct xdp_md* context, const struct packet* packet) {
    if (!packet || packet->key.protocol != IPPROTO_UDP || !packet->payload_offset) {
        return STEM_CONTINUE;
    }
    const struct stem_learning_key key = {
        .local = packet->key.dst, .port = packet->key.dport, .direction = packet->key.direction};
    struct stem_learning* entry = bpf_map_lookup_elem(&learning, &key);
    if (!entry) {
        return STEM_CONTINUE;
    }
    const __u64 now = now_ns();
    const int signalled =
        packet->key.sport == entry->signalled_port && same_address(&packet->key.src, &entry->signalled);
    if (entry->locked_ns || entry->until_ns <= now || !(signalled || is_from(&packet->key.src, entry))) {
        entry->refused++;
        return STEM_RTP_UNLEARNED;
    }
    if (entry->in.kind == STEM_FLOW_RTCP) {
        const enum stem_reason fault = (enum stem_reason)check_rtcp_candidate(context, packet, entry);
        if (fault != STEM_CONTINUE) {
            return fault;
        }
        return signalled || !entry->beside_port || is_beside(packet, entry) ? lock_peer(entry, packet, now)
                                                                            : STEM_RTP_UNLEARNED;
    }
    struct candidate_mark mark = {};
    const int fault = read_mark(context, packet, entry, &mark, now);
    if (fault != STEM_CONTINUE) {
        return fault;
    }
    if (signalled || is_consistent(entry, packet, &mark)) {
        return lock_peer(entry, packet, now);
    }
    return STEM_RTP_UNLEARNED;
}

#endif
