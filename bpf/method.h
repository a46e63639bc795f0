/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What kind of SIP message this is, by its first octets (RFC 3261 7.1, 7.2). Not a parser: what only looks
 * like SIP here, stemd refuses. Works on any payload, of UDP or of a TCP segment.
 *
 * Owns no maps. Eight octets decide most; a rare method costs one octet after the other.
 */
#ifndef STEM_BPF_METHOD_H
#define STEM_BPF_METHOD_H

#include "octets.h"
#include "packet.h"

#include <stem/abi/signalling.h>

/* The longest registered method, SUBSCRIBE, has nine; extensions may be longer. */
#define METHOD_MAX 24

#define WORD_INVITE 0x494e5649544520ull     /* "INVITE " */
#define WORD_REGISTER 0x5245474953544552ull /* "REGISTER" */
#define WORD_OPTIONS 0x4f5054494f4e5320ull  /* "OPTIONS " */
#define WORD_RESPONSE 0x7369702f322e3020ull /* "sip/2.0 ": the version is not case-sensitive (7.1) */
#define WORD_LOWER_CASE 0x2020200000000000ull

/* RFC 3261 25.1: token. */
static __always_inline int is_token_octet(__u8 octet) {
    if ((octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9')) {
        return 1;
    }
    switch (octet) {
    case '-':
    case '.':
    case '!':
    case '%':
    case '*':
    case '_':
    case '+':
    case '`':
    case '\'':
    case '~':
        return 1;
    default:
        return 0;
    }
}

static __always_inline int begins_with_token(const struct xdp_md* context, __u32 offset) {
    for (__u32 i = 0; i <= METHOD_MAX; i++) {
        const __u8* octet = octets_at(context, offset + i, 1);
        if (!octet) {
            return 0;
        }
        if (!is_token_octet(*octet)) {
            return i > 0 && *octet == ' ';
        }
    }
    return 0;
}

static __always_inline enum stem_sip_kind sip_kind_of(const struct xdp_md* context,
                                                      const struct packet* packet) {
    const __u8* start = octets_at(context, packet->payload_offset, sizeof(__u64));
    const int tcp = packet->key.protocol == IPPROTO_TCP;
    if (!start || (!tcp && packet->payload_length < sizeof(__u64))) {
        return tcp ? STEM_SIP_KIND_SEGMENT : STEM_SIP_KIND_NOISE;
    }
    __u64 word;
    __builtin_memcpy(&word, start, sizeof(word));
    word = __builtin_bswap64(word);
    if (word >> 8 == WORD_INVITE) {
        return STEM_SIP_KIND_INVITE;
    }
    if (word == WORD_REGISTER) {
        return STEM_SIP_KIND_REGISTER;
    }
    if (word == WORD_OPTIONS) {
        return STEM_SIP_KIND_OPTIONS;
    }
    if ((word | WORD_LOWER_CASE) == WORD_RESPONSE) {
        return STEM_SIP_KIND_RESPONSE;
    }
    if (tcp) { /* need not begin where a message does */
        return STEM_SIP_KIND_SEGMENT;
    }
    return begins_with_token(context, packet->payload_offset) ? STEM_SIP_KIND_REQUEST : STEM_SIP_KIND_NOISE;
}

#endif
