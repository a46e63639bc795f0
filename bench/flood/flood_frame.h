/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The frames of the floods, as the generator's program and user space share them. User space writes what
 * stays the same, payload included; the program writes the headers of every frame, and the marks.
 */
#ifndef STEM_BENCH_FLOOD_FRAME_H
#define STEM_BENCH_FLOOD_FRAME_H

#include <linux/tcp.h>
#include <linux/types.h>
#include <linux/udp.h>

/* Hexadecimal digits, other ones in each frame. */
#define FLOOD_MARK 8

/* An INVITE in pieces: text, mark, text, mark, text. What is marked are the branch and the Call-ID. */
#define FLOOD_INVITE_START                                                                                   \
    "INVITE sip:dave@192.0.2.5 SIP/2.0\r\n"                                                                  \
    "Via: SIP/2.0/UDP 192.0.2.66:5060;rport;branch=z9hG4bK"
#define FLOOD_INVITE_MIDDLE                                                                                  \
    "\r\n"                                                                                                   \
    "Max-Forwards: 70\r\n"                                                                                   \
    "From: <sip:flood@192.0.2.66>;tag=f1\r\n"                                                                \
    "To: <sip:dave@192.0.2.5>\r\n"                                                                           \
    "CSeq: 1 INVITE\r\n"                                                                                     \
    "Contact: <sip:flood@192.0.2.66:5060>\r\n"                                                               \
    "Call-ID: flood-"
#define FLOOD_INVITE_END                                                                                     \
    "\r\n"                                                                                                   \
    "Content-Type: application/sdp\r\n"                                                                      \
    "Content-Length: 124\r\n"                                                                                \
    "\r\n"                                                                                                   \
    "v=0\r\n"                                                                                                \
    "o=- 1 1 IN IP4 192.0.2.66\r\n"                                                                          \
    "s=-\r\n"                                                                                                \
    "c=IN IP4 192.0.2.66\r\n"                                                                                \
    "t=0 0\r\n"                                                                                              \
    "m=audio 40000 RTP/AVP 8\r\n"                                                                            \
    "a=rtpmap:8 PCMA/8000\r\n"                                                                               \
    "a=ptime:20\r\n"

struct flood_invite {
    char start[sizeof(FLOOD_INVITE_START) - 1];
    char branch[FLOOD_MARK];
    char middle[sizeof(FLOOD_INVITE_MIDDLE) - 1];
    char call_id[FLOOD_MARK];
    char end[sizeof(FLOOD_INVITE_END) - 1];
} __attribute__((packed));

struct flood_rtp_header {
    __u8 version_flags;
    __u8 payload_type;
    __be16 sequence;
    __be32 timestamp;
    __be32 ssrc;
};

struct flood_rtp {
    struct flood_rtp_header header;
    __u8 audio[160]; /* 20 ms of G.711 */
} __attribute__((packed));

/* A SYN has the one option that every real one has, the maximum segment size. */
struct flood_syn {
    struct tcphdr tcp;
    __be32 segment_size;
} __attribute__((packed));

struct flood_udp_invite {
    struct udphdr udp;
    struct flood_invite invite;
} __attribute__((packed));

struct flood_udp_rtp {
    struct udphdr udp;
    struct flood_rtp rtp;
} __attribute__((packed));

#endif
