/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Thresholds: numbers that change while traffic runs. This list is the only place that names them: the layout
 * of the map `thresholds`, its defaults, stemctl's help and checks, the Security Manager's store and
 * docs/thresholds.md all come from it.
 *
 * X(name, unit, default, low, high, help). The name begins with the stage that reads it. A value outside low
 * to high is refused; where `low` is 0, 0 switches the check off, and the help says so.
 *
 * Written by stemd, or by stemctl while there is none; read by the data plane with each packet that needs
 * them. Every field is one word, so that none is ever seen half written; what belongs together may be seen
 * changed in part for one packet.
 */
#ifndef STEM_ABI_THRESHOLD_H
#define STEM_ABI_THRESHOLD_H

#include <stem/abi/address.h>

#define STEM_THRESHOLDS(X)                                                                                   \
    X(keepalive_rate, "packets/s", 100, 1, 1000000, "keep-alives of one source on SIP ports")                \
    X(rtp_total_kbps, "kbit/s", 0, 0, 100000000, "all media of one direction, at IP level; 0: no limit")     \
    X(rtp_reaction, "number", 1, 1, 3, "to lasting excess: 1 drop it, 2 lower the stream, 3 end the stream") \
    X(rtp_excess_packets, "packets/s", 10, 1, 1000000, "drops of a stream that make a second of excess")     \
    X(rtp_excess_seconds, "s", 3, 1, 60, "seconds of excess, one after the other, before the reaction")      \
    X(rtp_lowered_kbps, "kbit/s", 32, 1, 1000000, "what a lowered stream may send, at IP level")             \
    X(rtp_repeats, "packets", 16, 0, 255, "repeated packets more than new ones; 0: not checked")             \
    X(rtp_restarts, "number/min", 12, 0, 6000, "new SSRCs and sequence jumps of a stream; 0: not checked")   \
    X(rtp_quality, "number", 1, 0, 2, "jitter: 0 not measured, 1 of a quarter of the packets, 2 of each")    \
    X(rtp_learn_packets, "packets", 3, 1, 100, "consistent packets that make a peer behind NAT known")       \
    X(state_tcp_opening, "s", 30, 1, 3600, "kept TCP connection without its third segment")                  \
    X(state_tcp_established, "s", 7440, 60, 604800, "kept TCP connection that is silent (RFC 5382, REQ-5)")  \
    X(state_tcp_closing, "s", 240, 10, 86400, "kept TCP connection that one side has closed")                \
    X(state_tcp_closed, "s", 30, 1, 3600, "kept TCP connection that both have closed, or one has reset")     \
    X(state_udp_asked, "s", 30, 1, 3600, "UDP exchange, and others, without an answer yet")                  \
    X(state_udp_answered, "s", 180, 10, 86400, "UDP exchange, and others, with an answer")                   \
    X(state_icmp, "s", 20, 1, 3600, "ICMP echo exchange")                                                    \
    X(state_shrink_from, "%", 60, 1, 100, "how full the table is when unanswered connections get less time") \
    X(state_source_rate, "connections/s", 500, 1, 1000000, "kept connections that a source may begin")       \
    X(state_source_max, "connections", 8192, 1, 16777216, "kept connections that a source may have")

struct stem_thresholds {
#define STEM_THRESHOLD_FIELD(name, unit, initial, low, high, help) __u32 name;
    STEM_THRESHOLDS(STEM_THRESHOLD_FIELD)
#undef STEM_THRESHOLD_FIELD
};

static inline void stem_default_thresholds(struct stem_thresholds* thresholds) {
#define STEM_THRESHOLD_DEFAULT(name, unit, initial, low, high, help) thresholds->name = (initial);
    STEM_THRESHOLDS(STEM_THRESHOLD_DEFAULT)
#undef STEM_THRESHOLD_DEFAULT
}

#endif
