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
    X(keepalive_rate, "packets/s", 100, 1, 1000000, "keep-alives of one source; a peer's phones: one each")  \
    X(keepalive_unknown, "packets/s", 1000, 1, 10000000, "keep-alives of all unknown sources together")      \
    X(syn_rate, "SYNs/s", 50, 1, 1000000, "TCP connection attempts of one source outside")                   \
    X(syn_burst, "SYNs", 1000, 1, 1000000, "how many of them at once")                                       \
    X(syn_prefix_factor, "times", 8, 0, 10000, "what an IPv4 /24 or IPv6 /64 may, of syn_rate; 0: no limit") \
    X(syn_known_factor, "times", 20, 1, 10000, "what a known peer may, of syn_rate and syn_burst")           \
    X(syn_block_multiple, "times", 10, 0, 10000, "of syn_rate, above which a source is blocked; 0: never")   \
    X(syn_block_seconds, "s", 10, 0, 86400, "first block; doubles with each one soon after; 0: never")       \
    X(syn_block_max_seconds, "s", 3600, 1, 604800, "longest block")                                          \
    X(syn_half_open, "connections", 256, 0, 1000000,                                                         \
      "begun and not completed, to one SIP port; 0: no limit")                                               \
    X(syn_half_open_seconds, "s", 10, 1, 300, "how long one that is not completed counts")                   \
    X(syn_unknown_rate, "SYNs/s", 200, 0, 1000000, "of all unknown sources together while there is a flood") \
    X(syn_proven_seconds, "s", 600, 1, 86400, "how long a source that proved itself is let through")         \
    X(rtp_total_kbps, "kbit/s", 0, 0, 100000000, "all media of one direction, at IP level; 0: no limit")     \
    X(rtp_reaction, "number", 1, 1, 3, "to lasting excess: 1 drop it, 2 lower the stream, 3 end the stream") \
    X(rtp_excess_packets, "packets/s", 10, 1, 1000000, "drops of a stream that make a second of excess")     \
    X(rtp_excess_seconds, "s", 3, 1, 60, "seconds of excess, one after the other, before the reaction")      \
    X(rtp_lowered_kbps, "kbit/s", 32, 1, 1000000, "what a lowered stream may send, at IP level")             \
    X(rtp_repeats, "packets", 16, 0, 255, "repeated packets more than new ones; 0: not checked")             \
    X(rtp_restarts, "number/min", 12, 0, 6000, "new SSRCs and sequence jumps of a stream; 0: not checked")   \
    X(rtp_quality, "number", 1, 0, 2, "jitter: 0 not measured, 1 of a quarter of the packets, 2 of each")    \
    X(rtp_beside, "packets/s", 50, 1, 10000, "STUN and DTLS that share a pinhole with RTP")                  \
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
    X(state_source_max, "connections", 8192, 1, 16777216, "kept connections that a source may have")         \
    X(sip_interval, "ms", 10000, 100, 600000,                                                                \
      "what a source or stream may send at once: so much time's worth of its rates")                         \
    X(sip_stream_invites, "messages/s", 10, 1, 1000000,                                                      \
      "INVITEs of one signalling stream; an unknown source's stream that sends more is blocked")             \
    X(sip_invites, "messages/s", 20, 1, 1000000, "INVITEs of one unknown source")                            \
    X(sip_registers, "messages/s", 100, 1, 1000000, "REGISTERs of one unknown source")                       \
    X(sip_options, "messages/s", 10, 1, 1000000, "OPTIONS of one unknown source")                            \
    X(sip_requests, "messages/s", 50, 1, 1000000, "other requests of one unknown source")                    \
    X(sip_responses, "messages/s", 100, 1, 1000000, "responses of one unknown source")                       \
    X(sip_noise, "messages/s", 10, 1, 1000000,                                                               \
      "packets on SIP ports that are not SIP, of one unknown source")                                        \
    X(sip_segments, "segments/s", 500, 1, 1000000,                                                           \
      "TCP segments of one unknown source that begin no INVITE, REGISTER, OPTIONS or response")              \
    X(sip_bytes, "octets/s", 500000, 1000, 1000000000, "signalling of one unknown source, IP packets")       \
    X(sip_prefix_factor, "number", 8, 0, 1000000,                                                            \
      "budgets of an IPv6 /64 of unknown sources, as a multiple of one source's; 0: not counted")            \
    X(sip_known_factor, "number", 4, 1, 1000000,                                                             \
      "budgets of a known peer for each phone behind it, as a multiple of an unknown source's")              \
    X(sip_trunk_factor, "number", 200, 1, 1000000, "the same of a trunk, and of each address inside")        \
    X(sip_block_multiple, "number", 10, 0, 1000000,                                                          \
      "a source is blocked that sends so many times its budget; 0: never. Trunks and addresses inside "      \
      "never are")                                                                                           \
    X(sip_block, "s", 60, 1, 86400, "how long a stream or source is blocked first; each time doubles it")    \
    X(sip_block_max, "s", 3600, 1, 604800, "how long at most; and so long after a block it is forgotten")    \
    X(sip_unknown_invites, "messages/s", 300, 1, 10000000, "INVITEs of all unknown sources together")        \
    X(sip_unknown_registers, "messages/s", 1000, 1, 10000000, "REGISTERs of all unknown sources together")   \
    X(sip_unknown_requests, "messages/s", 200, 1, 10000000,                                                  \
      "OPTIONS, other requests and what is not SIP, of all unknown sources together")                        \
    X(sip_unknown_responses, "messages/s", 500, 1, 10000000,                                                 \
      "responses of all unknown sources together that nobody inside asked for")                              \
    X(sip_unknown_segments, "segments/s", 1000, 1, 10000000,                                                 \
      "TCP segments of all unknown sources together that begin no INVITE, REGISTER, OPTIONS or response")    \
    X(sip_unknown_bytes, "octets/s", 2500000, 1000, 4000000000u,                                             \
      "signalling of all unknown sources together, IP packets")                                              \
    X(detector_unknown_share, "percent", 10, 0, 100,                                                         \
      "what unknown sources together may still send under an alarm, of what they may else; 0: nothing")      \
    X(detector_interval, "ms", 1000, 100, 60000, "how often the detector compares requests and answers")     \
    X(detector_drift, "percent", 100, 1, 100000,                                                             \
      "unanswered requests that are normal, of the answers of an interval (CUSUM: a)")                       \
    X(detector_alarm, "percent", 500, 1, 1000000, "the sum above it that raises the alarm (CUSUM: N)")       \
    X(detector_memory, "percent", 90, 0, 99, "weight of the past in the average of answers")                 \
    X(detector_floor, "messages", 50, 1, 1000000,                                                            \
      "least average of answers: below it, requests are compared with this")                                 \
    X(detector_quiet, "s", 30, 1, 86400, "an alarm ends when the sum was 0 for so long")                     \
    X(fragment_timeout, "ms", 2000, 100, 60000, "how long a first fragment waits for those that follow")     \
    X(fragment_rate, "datagrams/s", 3000, 0, 1000000,                                                        \
      "datagrams in fragments, for each CPU and direction; 0: no limit")                                     \
    X(neighbour_hold, "s", 300, 0, 86400,                                                                    \
      "bridge: how long an inside address is kept from outside claims after its last; 0: not kept")          \
    X(neighbour_rate, "packets/s", 200, 0, 1000000,                                                          \
      "ARP and neighbour discovery of one station; 0: no limit")                                             \
    X(neighbour_router_guard, "number", 0, 0, 1, "1 drops router advertisements from outside; 0: none")      \
    X(neighbour_redirect_guard, "number", 1, 0, 1, "1 drops ICMPv6 redirects from outside; 0: none")         \
    X(source_guard, "number", 1, 0, 1,                                                                       \
      "1 drops what comes from outside with a source that is inside; 0: none")

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
