/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * TCP of a kept connection: each segment is held against what its two ends have said (RFC 9293 3.10.7.4;
 * the four bounds are those of van Rooij, "Real Stateful TCP Packet Filtering in IP Filter", 2001). A
 * connection is followed from its first SYN or not at all.
 *
 * Writes the state that it is given. Two CPUs may hold one connection, a direction each: no lock, as each
 * word of an end is written by packets of one direction only.
 */
#ifndef STEM_BPF_STATE_TCP_H
#define STEM_BPF_STATE_TCP_H

#include "octets.h"
#include "packet.h"
#include "state.h"

#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_SCALE 3
#define TCP_SCALE_MAX 14 /* RFC 7323 2.3 */
#define TCP_OPTION_OCTETS_MAX 40
/* How far an acknowledgement may lie behind, at least: what a window without scaling can hold, and a bit. */
#define TCP_ACK_SLACK 66000u

struct segment {
    __u32 sequence;
    __u32 end; /* behind its last octet; SYN and FIN count as one each */
    __u32 ack;
    __u16 window; /* as on the wire */
    __u8 flags;
};

static __always_inline int seq_after(__u32 a, __u32 b) {
    return (__s32)(a - b) > 0;
}

static __always_inline int read_segment(const struct xdp_md* context, const struct packet* packet,
                                        struct segment* segment) {
    const struct tcphdr* tcp = octets_at(context, packet->l4_offset, sizeof(*tcp));
    if (!tcp) {
        return 0;
    }
    const __u32 headers = (__u32)packet->payload_offset - packet->l3_offset;
    segment->sequence = __builtin_bswap32(tcp->seq);
    segment->ack = __builtin_bswap32(tcp->ack_seq);
    segment->window = __builtin_bswap16(tcp->window);
    segment->flags = packet->tcp_flags;
    segment->end = segment->sequence + (packet->ip_length - headers) + ((segment->flags & TCP_SYN) != 0) +
                   ((segment->flags & TCP_FIN) != 0);
    return 1;
}

/* SYN, SYN-ACK, an acknowledgement of any kind, or RST. */
static __always_inline int flags_possible(__u8 flags) {
    if (flags & TCP_SYN) {
        return !(flags & (TCP_FIN | TCP_RST));
    }
    return (flags & TCP_RST) ? !(flags & TCP_FIN) : (flags & TCP_ACK) != 0;
}

struct tcp_option_walk {
    struct xdp_md* context;
    __u32 at;
    __u32 end;
    int scale; /* -1: not offered */
};

/* A step: one option. For bpf_loop, so that the verifier checks one, not forty. */
static long step_option(__u32 step, void* argument) {
    struct tcp_option_walk* walk = argument;
    (void)step;
    const __u8* kind = octets_at(walk->context, walk->at, 1);
    if (walk->at >= walk->end || !kind || *kind == TCP_OPTION_END) {
        return 1;
    }
    if (*kind == TCP_OPTION_NOP) {
        walk->at++;
        return 0;
    }
    const __u8* option = octets_at(walk->context, walk->at, 3);
    if (!option || option[1] < 2) {
        return 1;
    }
    if (option[0] == TCP_OPTION_SCALE && option[1] == 3 && walk->at + 3 <= walk->end) {
        walk->scale = option[2] < TCP_SCALE_MAX ? option[2] : TCP_SCALE_MAX;
        return 1;
    }
    walk->at += option[1];
    return 0;
}

/* The window scale that a SYN offers, or -1. */
__noinline int scale_offered(struct xdp_md* context, const struct packet* packet) {
    if (!packet) {
        return -1;
    }
    struct tcp_option_walk walk = {
        .context = context,
        .at = (__u32)packet->l4_offset + (__u32)sizeof(struct tcphdr) + (__u32)packet->unknown_zero,
        .end = packet->payload_offset,
        .scale = -1,
    };
    bpf_loop(TCP_OPTION_OCTETS_MAX, step_option, &walk, 0);
    return walk.scale;
}

/* What a SYN says of its end, with an acknowledgement or without. */
static __always_inline void open_end(struct stem_state_end* end, const struct segment* segment, int scale) {
    end->end = segment->end;
    end->limit = segment->end;
    end->acked = segment->sequence;
    end->window = segment->window ? segment->window : 1;
    end->scale = scale < 0 ? 0 : (__u8)scale;
    end->flags = STEM_END_SPOKE | (scale < 0 ? 0 : STEM_END_SCALES);
}

/* The end of a connection that begins with this segment; STEM_CONTINUE, or why it cannot begin one. */
static __always_inline enum stem_reason first_syn(struct xdp_md* context, const struct packet* packet,
                                                  struct stem_state_end* end) {
    struct segment segment;
    if (!read_segment(context, packet, &segment)) {
        return STEM_INTERNAL;
    }
    if ((segment.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN) {
        count_state(STEM_STATES_REFUSED_FORM);
        return STEM_STATE_WINDOW;
    }
    __builtin_memset(end, 0, sizeof(*end));
    open_end(end, &segment, scale_offered(context, packet));
    return STEM_CONTINUE;
}

/* The other end now lets `end` send up to there. */
static __always_inline void grant(struct stem_state_end* end, __u32 ack, __u32 window) {
    const __u32 limit = ack + (window ? window : 1); /* a zero window is probed with an octet */
    if (seq_after(limit, end->limit)) {
        end->limit = limit;
    }
    if (seq_after(ack, end->acked)) {
        end->acked = ack;
    }
}

static __always_inline int sequence_fits(const struct stem_state_end* from, const struct stem_state_end* to,
                                         const struct segment* segment) {
    return !seq_after(segment->end, from->limit) && !seq_after(from->end - to->window, segment->sequence);
}

static __always_inline int ack_fits(const struct stem_state_end* from, const struct stem_state_end* to,
                                    const struct segment* segment) {
    const __u32 slack = from->window > TCP_ACK_SLACK ? from->window : TCP_ACK_SLACK;
    return !seq_after(segment->ack, to->end) && !seq_after(to->end - slack, segment->ack);
}

/* An answer to the first SYN: SYN-ACK, or a reset. */
static __always_inline enum stem_reason
judge_tcp_answer(struct xdp_md* context, const struct packet* packet, struct stem_state* state,
                 const struct segment* segment, struct stem_state_end* from, struct stem_state_end* to) {
    const __u8 wanted = segment->flags & (TCP_SYN | TCP_RST);
    if (!wanted || !(segment->flags & TCP_ACK) || !seq_after(segment->ack, to->acked) ||
        seq_after(segment->ack, to->end)) {
        return STEM_STATE_WINDOW;
    }
    if (wanted == TCP_RST) {
        state->phase = STEM_STATE_CLOSED;
        return STEM_STATE;
    }
    open_end(from, segment, scale_offered(context, packet));
    from->limit = segment->sequence + 1 + to->window;
    grant(to, segment->ack, segment->window); /* the window of a SYN is never scaled */
    state->phase = STEM_STATE_SYN_RECEIVED;
    return STEM_STATE;
}

#define TCP_WINDOW_UNSCALED 65535u

/* A SYN while the connection is up: its sender has restarted, or guesses. If the other end knows the
 * connection, it asks back (RFC 5961 4.2) and nothing has changed. If that has restarted, too, it answers. */
static __always_inline void note_again(struct stem_state_end* end, const struct segment* segment, int scale) {
    end->again = segment->sequence + 1;
    end->again_scale = (__u8)(scale + 1);
    end->flags |= STEM_END_AGAIN;
}

static __always_inline int answers_again(const struct stem_state_end* to, const struct segment* segment) {
    const __u8 wanted = TCP_SYN | TCP_ACK;
    return (to->flags & STEM_END_AGAIN) && (segment->flags & (wanted | TCP_RST)) == wanted &&
           segment->ack == to->again;
}

/* The end as that SYN opened it. */
static __always_inline void open_again(struct stem_state_end* end) {
    const struct segment syn = {
        .sequence = end->again - 1, .end = end->again, .window = TCP_WINDOW_UNSCALED, .flags = TCP_SYN};
    open_end(end, &syn, (int)end->again_scale - 1);
}

/* STEM_STATE; why not; or STEM_CONTINUE for a SYN where the old connection is over. */
static __always_inline enum stem_reason judge_tcp(struct xdp_md* context, const struct packet* packet,
                                                  struct stem_state* state) {
    struct segment segment;
    if (!read_segment(context, packet, &segment)) {
        return STEM_INTERNAL;
    }
    const __u32 direction = packet->key.direction & 1;
    const int first_speaker = direction == state->origin;
    struct stem_state_end* from = &state->end[direction];
    struct stem_state_end* to = &state->end[direction ^ 1];
    if (!flags_possible(segment.flags)) {
        count_state(STEM_STATES_REFUSED_FORM);
        return STEM_STATE_WINDOW;
    }
    if ((segment.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        if (!first_speaker) { /* both open at once: nobody does, and it would open the door backwards */
            return STEM_STATE_WINDOW;
        }
        if (state->phase == STEM_STATE_CLOSED) {
            return STEM_CONTINUE;
        }
        if (state->phase == STEM_STATE_SYN_SENT) {
            open_end(from, &segment, scale_offered(context, packet));
        } else {
            note_again(from, &segment, scale_offered(context, packet));
        }
        return STEM_STATE;
    }
    if (!first_speaker && answers_again(to, &segment)) {
        open_again(to);
        return judge_tcp_answer(context, packet, state, &segment, from, to);
    }
    if (state->phase == STEM_STATE_SYN_SENT && !first_speaker) {
        return judge_tcp_answer(context, packet, state, &segment, from, to);
    }
    if (segment.flags & TCP_RST) {
        if (!sequence_fits(from, to, &segment)) {
            return STEM_STATE_WINDOW;
        }
        /* In the window, but not exact: the other end takes it for a question (RFC 5961 3.2), and so does
         * the state. */
        if (segment.sequence == from->end || segment.sequence == from->acked) {
            state->phase = STEM_STATE_CLOSED;
        }
        return STEM_STATE;
    }
    if (state->phase == STEM_STATE_SYN_SENT || !sequence_fits(from, to, &segment) ||
        !ack_fits(from, to, &segment)) {
        return STEM_STATE_WINDOW;
    }
    if (seq_after(segment.end, from->end)) {
        from->end = segment.end;
    }
    __u32 window = segment.window;
    if (!(segment.flags & TCP_SYN) && (from->flags & to->flags & STEM_END_SCALES)) {
        window <<= from->scale & 15;
    }
    if (window > from->window) {
        from->window = window;
    }
    grant(to, segment.ack, window);
    if (state->phase == STEM_STATE_SYN_RECEIVED && first_speaker) {
        state->phase = STEM_STATE_ESTABLISHED;
    }
    if (segment.flags & TCP_FIN) {
        from->flags |= STEM_END_FIN;
        if (state->phase != STEM_STATE_CLOSED) {
            state->phase = (to->flags & STEM_END_FIN) ? STEM_STATE_CLOSED : STEM_STATE_CLOSING;
        }
    }
    return STEM_STATE;
}

#endif
