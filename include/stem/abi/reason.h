/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every verdict has a reason, and this list is the only place that names them: counter index, C++ name,
 * CLI and metrics label, and the table in docs/reasons.md all come from it.
 *
 * X(NAME, number, kind, label, help). A number is never reused: a reason that goes leaves its number behind.
 *
 * kind   FORWARD  sent out by the other port (bridge) or by the FIB (router)
 *        STACK    given to the kernel's own stack, after it was judged
 *        STEER    given to stemd through AF_XDP
 *        DROP     gone
 *        RELEASE  stemd let a steered packet go on (counted in controller_counters)
 *        ANSWER   turned around: the data plane's own answer to whoever sent it
 *        NOTE     said in an event, beside the verdict; never a verdict, and not counted
 * Numbers 1-99 are the data plane's, 100 and above the controller's.
 */
#ifndef STEM_ABI_REASON_H
#define STEM_ABI_REASON_H

#include <stem/abi/address.h>

#define STEM_REASONS(X)                                                                                      \
    /* what went on */                                                                                       \
    X(NEIGHBOUR, 1, FORWARD, "neighbour", "ARP or IPv6 neighbour discovery")                                 \
    X(FAILSAFE, 2, FORWARD, "failsafe", "matched the fail-safe list (management), before any policy")        \
    X(FLOW, 3, FORWARD, "flow", "media of an open pinhole, within its rate")                                 \
    X(RULE_PASS, 4, FORWARD, "rule_pass", "a static rule passed it")                                         \
    X(KEEPALIVE_CRLF, 5, FORWARD, "keepalive_crlf", "CRLF keep-alive on a SIP port (RFC 5626, 3.5.1)")       \
    X(KEEPALIVE_STUN, 6, FORWARD, "keepalive_stun", "STUN keep-alive on a SIP port (RFC 5626, 3.5.2)")       \
    X(POLICY_PASS, 7, FORWARD, "policy_pass", "the default policy of its direction passes")                  \
    X(FALLBACK_OPEN, 8, FORWARD, "fallback_open", "SIP while stemd is away, and the fallback is open")       \
    X(STEER_SIP, 9, STEER, "steer_sip", "SIP, given to stemd")                                               \
    X(RULE_STEER, 10, STEER, "rule_steer", "a static rule gave it to stemd")                                 \
    X(STATE, 11, FORWARD, "state", "belongs to a kept connection, and fits it")                              \
    X(STATE_RELATED, 12, FORWARD, "state_related", "ICMP error about a packet of a kept connection")         \
    X(PROXY, 13, FORWARD, "proxy", "SIP over TCP with the SIP proxy, steered while stemd was away")          \
    X(MONITORED, 14, FORWARD, "monitored",                                                                   \
      "media that would have been dropped, but their peer is only monitored")                                \
    /* judged, but to be finished by the kernel's stack (router mode) */                                     \
    X(STACK_NEIGHBOUR, 15, STACK, "stack_neighbour", "next hop's link address unknown: the stack asks")      \
    X(STACK_LOCAL, 16, STACK, "stack_local", "for this host itself")                                         \
    X(STACK_ROUTE, 17, STACK, "stack_route", "the route leaves by a port that STEM does not hold")           \
    X(STACK_FRAGMENTATION, 18, STACK, "stack_fragmentation", "larger than the route's MTU")                  \
    X(STACK_TTL, 19, STACK, "stack_ttl", "TTL or hop limit ran out: the stack answers")                      \
    X(STACK_VLAN, 20, STACK, "stack_vlan", "a tagged frame in router mode")                                  \
    /* said beside the verdict */                                                                            \
    X(RULE_LOGGED, 21, NOTE, "rule_logged", "a static rule reports it; its verdict is told apart")           \
    /* answered */                                                                                           \
    X(SYN_CHALLENGED, 25, ANSWER, "syn_challenged",                                                          \
      "SYN answered with a cookie: its source must prove itself")                                            \
    /* unparsable */                                                                                         \
    X(ETHERNET_SHORT, 30, DROP, "ethernet_short", "frame shorter than its Ethernet header")                  \
    X(VLAN_DEPTH, 31, DROP, "vlan_depth", "more than two VLAN tags, one cut short, or id 4095")              \
    X(ETHERTYPE, 32, DROP, "ethertype", "neither IPv4, IPv6 nor ARP")                                        \
    X(IPV4_HEADER, 33, DROP, "ipv4_header", "broken IPv4 header, wrong checksum, or TTL 0")                  \
    X(IPV6_HEADER, 34, DROP, "ipv6_header", "broken IPv6 header, or hop limit 0")                            \
    X(IPV6_EXTENSION, 35, DROP, "ipv6_extension", "IPv6 extension headers too many, misplaced or cut short") \
    X(UDP_HEADER, 36, DROP, "udp_header", "UDP header cut short, wrong length, or IPv6 without checksum")    \
    X(TCP_HEADER, 37, DROP, "tcp_header", "TCP header cut short, with a wrong offset or absurd flags")       \
    X(ICMP_HEADER, 38, DROP, "icmp_header", "ICMP cut short, or discovery that RFC 4861 calls invalid")      \
    X(ARP_HEADER, 39, DROP, "arp_header", "ARP cut short, not for IPv4 over Ethernet, or absurd")            \
    /* SYN monitor */                                                                                        \
    X(SYN_SOURCE_RATE, 40, DROP, "syn_source_rate", "more TCP connection attempts than a source may make")   \
    X(SYN_PREFIX_RATE, 41, DROP, "syn_prefix_rate",                                                          \
      "more TCP connection attempts than a /24 or /64 may make")                                             \
    X(SYN_BLOCKED, 42, DROP, "syn_blocked", "SYN of a source that flooded, and is blocked for a time")       \
    X(SYN_UNKNOWN_LANE, 43, DROP, "syn_unknown_lane",                                                        \
      "under a flood: SYN from nobody we know, above what all those may send")                               \
    X(SYN_PROVEN, 44, DROP, "syn_proven", "RST that answers a challenge, taken in: its source is real")      \
    /* policy */                                                                                             \
    X(DENY, 45, DROP, "deny", "source is on the deny list (exact address)")                                  \
    X(DENY_CIDR, 46, DROP, "deny_cidr", "source is in a denied network")                                     \
    X(FRAGMENT, 47, DROP, "fragment", "IP fragment that no rule passes")                                     \
    X(RULE_DROP, 48, DROP, "rule_drop", "a static rule dropped it")                                          \
    X(NO_PINHOLE, 49, DROP, "no_pinhole", "UDP to ports that no call negotiated and no rule passes")         \
    X(POLICY_DROP, 50, DROP, "policy_drop", "the default policy of its direction drops")                     \
    X(KEEPALIVE_RATE, 51, DROP, "keepalive_rate", "more keep-alives than a source may send")                 \
    X(CONTROLLER_AWAY, 52, DROP, "controller_away", "SIP while stemd is away, and the fallback is closed")   \
    X(OTHER_HOST, 53, DROP, "other_host", "router mode: frame addressed to another station")                 \
    X(STATE_FULL, 55, DROP, "state_full", "no room for another kept connection, or its source has too many") \
    X(STATE_WINDOW, 56, DROP, "state_window", "TCP that begins without SYN, or does not fit its connection") \
    X(PROXY_REFUSED, 57, DROP, "proxy_refused", "SIP that cannot be steered: no link address, or no room")   \
    X(MEDIA_FORM, 58, DROP, "media_form", "in a pinhole: STUN, DTLS or UDPTL that is not what it says")      \
    /* flow monitor */                                                                                       \
    X(FLOW_BYTE_RATE, 60, DROP, "flow_byte_rate", "more bytes than the flow's codec may send")               \
    X(FLOW_PACKET_RATE, 61, DROP, "flow_packet_rate", "more packets than the flow's codec may send")         \
    X(RTP_VERSION, 62, DROP, "rtp_version", "in a pinhole, but not RTP version 2")                           \
    X(RTP_PAYLOAD_TYPE, 63, DROP, "rtp_payload_type", "RTP payload type that was not negotiated")            \
    X(RTP_SIZE, 64, DROP, "rtp_size", "size that the negotiated codec cannot make")                          \
    X(RTCP_FORM, 65, DROP, "rtcp_form", "in an RTCP pinhole, but not RTCP")                                  \
    X(RTP_HEADER, 66, DROP, "rtp_header", "RTP whose CSRC count, extension or padding lies")                 \
    X(RTP_REPEATED, 67, DROP, "rtp_repeated", "sequence numbers that came before, again and again")          \
    X(RTP_SEQUENCE, 68, DROP, "rtp_sequence", "sequence number jumps more often than a stream may")          \
    X(RTP_SOURCES, 69, DROP, "rtp_sources", "SSRC changes more often than a stream may")                     \
    X(FLOW_TOTAL, 70, DROP, "flow_total", "more media than threshold rtp_total_kbps lets through")           \
    X(FLOW_ENDED, 71, DROP, "flow_ended", "media of a stream that was ended for its excess")                 \
    X(FLOW_DENIED, 72, DROP, "flow_denied", "media of a flow that is on the deny list")                      \
    X(RTP_UNLEARNED, 73, DROP, "rtp_unlearned", "media whose peer behind NAT is not known yet")              \
    X(MEDIA_BESIDE_RATE, 74, DROP, "media_beside_rate", "more STUN and DTLS than may share a pinhole")       \
    /* forwarding */                                                                                         \
    X(NO_ROUTE, 75, DROP, "no_route", "router mode: unreachable, prohibited or a black hole")                \
    X(REDIRECT_FAILED, 76, DROP, "redirect_failed", "the other port is not there")                           \
    X(INTERNAL, 77, DROP, "internal", "a map that must exist does not: STEM's own defect")                   \
    X(MEDIA_UNCHECKED, 78, DROP, "media_unchecked",                                                          \
      "media between ICE candidates of which none answered a check yet")                                     \
    /* signalling, before stemd sees it */                                                                   \
    X(SIP_SEGMENT_RATE, 79, DROP, "sip_segment_rate", "more TCP segments of SIP than a source may send")     \
    X(SIP_STREAM_BLOCKED, 80, DROP, "sip_stream_blocked",                                                    \
      "signalling or media of a stream that flooded INVITEs")                                                \
    X(SIP_SOURCE_BLOCKED, 81, DROP, "sip_source_blocked",                                                    \
      "signalling of a source that sent a multiple of its budget")                                           \
    X(SIP_INVITE_RATE, 82, DROP, "sip_invite_rate", "more INVITEs than a source or a stream may send")       \
    X(SIP_REGISTER_RATE, 83, DROP, "sip_register_rate", "more REGISTERs than a source may send")             \
    X(SIP_REQUEST_RATE, 84, DROP, "sip_request_rate",                                                        \
      "more requests of other methods than a source may send")                                               \
    X(SIP_RESPONSE_RATE, 85, DROP, "sip_response_rate", "more responses than a source may send")             \
    X(SIP_NOISE_RATE, 86, DROP, "sip_noise_rate",                                                            \
      "on a SIP port, not SIP, and more of it than a source may send")                                       \
    X(SIP_BYTE_RATE, 87, DROP, "sip_byte_rate", "more octets of signalling than a source may send")          \
    X(SIP_UNKNOWN_LANE, 88, DROP, "sip_unknown_lane",                                                        \
      "more signalling than all unknown sources together may send")                                          \
    X(SIP_UNKNOWN_QUEUE, 89, DROP, "sip_unknown_queue",                                                      \
      "from an unknown source, and stemd had no time for it")                                                \
    /* what no honest station sends, and what it claims for itself (docs/decisions/0009) */                  \
    X(SOURCE_ROUTE, 90, DROP, "source_route",                                                                \
      "source routing, or a home address: goes where it does not say")                                       \
    X(MARTIAN, 91, DROP, "martian", "addresses that cannot be: of no host, its own target, or of this side") \
    X(IPV4_OPTION, 92, DROP, "ipv4_option", "IPv4 option other than router alert, or a broken one")          \
    X(ROUTER_GUARD, 93, DROP, "router_guard", "router advertisement or redirect from outside, switched off") \
    X(FRAGMENT_ORPHAN, 94, DROP, "fragment_orphan", "fragment without those before it, or too late")         \
    X(FRAGMENT_FORM, 95, DROP, "fragment_form",                                                              \
      "fragment too small, too long, overlapping, or of discovery")                                          \
    X(NEIGHBOUR_SPOOF, 96, DROP, "neighbour_spoof", "ARP or discovery from outside for an inside address")   \
    X(NEIGHBOUR_RATE, 97, DROP, "neighbour_rate", "more ARP or discovery than one station may send")         \
    /* the controller's: signalling */                                                                       \
    X(SIP_RELEASED, 100, RELEASE, "sip_released", "SIP message let through by stemd")                        \
    X(SIP_REWRITTEN, 101, RELEASE, "sip_rewritten", "let through with a new request URI (forward)")          \
    X(SIP_ANSWERED, 102, DROP, "sip_answered", "request taken in, and answered by stemd itself")             \
    X(SIP_ABSORBED, 103, DROP, "sip_absorbed", "retransmission of a message that is held or was answered")   \
    X(SIP_MALFORMED, 104, DROP, "sip_malformed", "not SIP, or SIP that breaks RFC 3261's grammar")           \
    X(SIP_OVER_LIMIT, 105, DROP, "sip_over_limit", "a size or count above the configured cap")               \
    X(SIP_NO_TRANSACTION, 106, DROP, "sip_no_transaction", "response that answers no request seen")          \
    X(SIP_NO_DIALOG, 107, DROP, "sip_no_dialog", "request inside a dialog that does not exist")              \
    X(SIP_STATE, 108, DROP, "sip_state", "message that the call's state does not allow")                     \
    X(SIP_CSEQ, 109, DROP, "sip_cseq", "CSeq that does not follow its dialog's last")                        \
    X(SIP_METHOD, 110, DROP, "sip_method", "method that the configuration does not let through")             \
    X(SM_REJECTED, 111, DROP, "sm_rejected", "the Security Manager rejected the call")                       \
    X(SM_DROPPED, 112, DROP, "sm_dropped", "the Security Manager dropped the call silently")                 \
    X(SM_SPAM, 113, DROP, "sm_spam", "the caller is on a spam list")                                         \
    X(SM_TIMEOUT, 114, DROP, "sm_timeout", "no decision in time, and the default is to refuse")              \
    X(HOLD_LIMIT, 115, DROP, "hold_limit", "no room to hold another INVITE")                                 \
    X(CALL_LIMIT, 116, DROP, "call_limit", "no room for another call or transaction")                        \
    X(SDP_MALFORMED, 117, DROP, "sdp_malformed", "session description that cannot be read")                  \
    X(MEDIA_ADDRESS, 118, DROP, "media_address", "media address or port that policy does not allow")         \
    X(PINHOLE_LIMIT, 119, DROP, "pinhole_limit", "no room for another pinhole, or the kernel refused it")    \
    X(RELEASE_FAILED, 120, DROP, "release_failed", "could not be sent on (ring full, no frame, no route)")   \
    X(FRAME_UNREADABLE, 121, DROP, "frame_unreadable",                                                       \
      "steered frame that is not UDP or TCP over IP, or UDP with a wrong checksum")                          \
    X(SM_CHALLENGED, 122, DROP, "sm_challenged", "the caller was asked who it is, and calls anew: 407")      \
    X(MEDIA_TOTAL, 140, DROP, "media_total", "a call whose media the firewall has no room for")              \
    X(MEDIA_UNANSWERED, 141, DROP, "media_unanswered",                                                       \
      "stream cut: its receiver never sent anything back ([media] unanswered_seconds)")                      \
    /* the controller's: SIP over TCP. Those from TCP_FRAMING on end their connection, by RST to both ends   \
     */                                                                                                      \
    X(TCP_TAKEN, 150, RELEASE, "tcp_taken", "TCP segment of SIP, taken in by stemd as a part of its stream") \
    X(TCP_CHECKSUM, 151, DROP, "tcp_checksum", "TCP segment of SIP with a wrong checksum")                   \
    X(TCP_WINDOW, 152, DROP, "tcp_window", "TCP segment of SIP outside its window, signed, or of no state")  \
    X(TCP_LIMIT, 153, DROP, "tcp_limit", "no room for another SIP connection, or its source has too many")   \
    X(TCP_UNKNOWN, 154, DROP, "tcp_unknown",                                                                 \
      "of a SIP connection that stemd does not know: looked into, or reset")                                 \
    X(TCP_FRAMING, 155, DROP, "tcp_framing",                                                                 \
      "SIP over TCP whose messages cannot be told apart (RFC 3261, 18.3)")                                   \
    X(TCP_OVER_LIMIT, 156, DROP, "tcp_over_limit", "SIP over TCP: a message larger than the configured cap") \
    X(TCP_SLOW, 157, DROP, "tcp_slow", "SIP over TCP: a message that does not come to its end in time")      \
    X(TCP_UNACKNOWLEDGED, 158, DROP, "tcp_unacknowledged", "SIP over TCP: an end takes nothing any more")    \
    X(TCP_IDLE, 159, DROP, "tcp_idle", "SIP over TCP: a connection that was silent for too long")            \
    X(TCP_CUT_SHORT, 160, DROP, "tcp_cut_short", "SIP over TCP: the stream ended inside a message")          \
    X(TCP_ENDED, 161, DROP, "tcp_ended", "SIP over TCP: ended by hand, or because stemd stops")              \
    X(SIP_FLOW, 170, DROP, "sip_flow", "from elsewhere than where that leg of its call signals from")        \
    X(SIP_MONITORED, 171, RELEASE, "sip_monitored",                                                          \
      "SIP message that would have been dropped, but its peer is only monitored")

enum stem_reason {
    STEM_CONTINUE = 0, /* no verdict yet: the next stage judges */
#define STEM_REASON_ENUM(name, number, kind, label, help) STEM_##name = number,
    STEM_REASONS(STEM_REASON_ENUM)
#undef STEM_REASON_ENUM
};

/* Counters are arrays of this many reasons times the directions; room for the reasons to come. */
#define STEM_REASON_SLOTS 192

enum stem_reason_kind {
    STEM_KIND_FORWARD = 1,
    STEM_KIND_STACK = 2,
    STEM_KIND_STEER = 3,
    STEM_KIND_DROP = 4,
    STEM_KIND_RELEASE = 5,
    STEM_KIND_ANSWER = 6,
    STEM_KIND_NOTE = 7,
};

static inline enum stem_reason_kind stem_kind_of(enum stem_reason reason) {
    switch (reason) {
#define STEM_REASON_KIND(name, number, kind, label, help)                                                    \
    case STEM_##name:                                                                                        \
        return STEM_KIND_##kind;
        STEM_REASONS(STEM_REASON_KIND)
#undef STEM_REASON_KIND
    default:
        return STEM_KIND_DROP;
    }
}

/* counters (per CPU) and controller_counters: index and value. */
static inline __u32 stem_counter_index(enum stem_reason reason, enum stem_direction direction) {
    return (__u32)reason * STEM_DIRECTIONS + (__u32)direction;
}

#define STEM_COUNTER_SLOTS (STEM_REASON_SLOTS * STEM_DIRECTIONS)

struct stem_counter {
    __u64 packets;
    __u64 bytes; /* whole frames, from the Ethernet header on */
};
STEM_ABI_ASSERT(sizeof(struct stem_counter) == 16);

#endif
