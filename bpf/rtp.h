/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Is this the media that was negotiated? What can be told from one packet: version, payload type, size, and a
 * header that is what it says (RFC 3550 5.1, 6.4 and A.1, RFC 5761 4). Owns no maps.
 */
#ifndef STEM_BPF_RTP_H
#define STEM_BPF_RTP_H

#include "octets.h"
#include "packet.h"

struct rtp_start {
    __u8 version_flags; /* version 2 bits, padding, extension, CSRC count 4 bits */
    __u8 marker_type;   /* marker, payload type 7 bits; in RTCP: packet type */
    __be16 sequence;    /* in RTCP: length in words, less one */
};

struct rtp_header {
    struct rtp_start start;
    __be32 timestamp;
    __be32 ssrc;
};

#define RTP_HEADER 12
#define RTCP_HEADER 8
#define RTP_VERSION_ALONE 0x80 /* version 2; no padding, no extension, no CSRC */
#define RTP_PADDING 0x20
#define RTP_EXTENSION 0x10
#define RTP_CSRC_COUNT 0x0f
/* RFC 5761 4: RTCP's packet types, read as an RTP payload type, are 64 to 95 with the marker set. */
#define RTCP_TYPE_FIRST 192
#define RTCP_TYPE_LAST 223

static __always_inline __u32 from_be32(__be32 value) {
    return __builtin_bswap32((__u32)value);
}

static __always_inline int is_rtcp(const struct rtp_start* start, __u16 length) {
    if (start->marker_type < RTCP_TYPE_FIRST || start->marker_type > RTCP_TYPE_LAST) {
        return 0;
    }
    /* The first packet of a compound one must fit the datagram. */
    return length >= RTCP_HEADER && ((__u32)from_be16(start->sequence) + 1) * 4 <= length;
}

/* RTCP that the flow takes: in a pinhole of its own, or beside RTP. */
static __always_inline int is_rtcp_of(const struct rtp_start* start, __u16 length,
                                      const struct stem_flow* flow) {
    return flow->kind == STEM_FLOW_RTCP || ((flow->flags & STEM_FLOW_RTCP_MUX) && is_rtcp(start, length));
}

/* `start`: at least RTCP_HEADER octets; NULL if the datagram has less. */
static __always_inline enum stem_reason check_form(const struct rtp_start* start, __u16 length,
                                                   const struct stem_flow* flow) {
    if (!start || length < RTCP_HEADER) {
        return flow->kind == STEM_FLOW_RTCP ? STEM_RTCP_FORM : STEM_RTP_SIZE;
    }
    if (start->version_flags >> 6 != 2) {
        return STEM_RTP_VERSION;
    }
    if (flow->kind == STEM_FLOW_RTCP) {
        return is_rtcp(start, length) ? STEM_CONTINUE : STEM_RTCP_FORM;
    }
    if ((flow->flags & STEM_FLOW_RTCP_MUX) && is_rtcp(start, length)) {
        return STEM_CONTINUE;
    }
    const __u8 type = start->marker_type & 0x7f;
    if (!((flow->payload_types[type >> 6] >> (type & 63)) & 1)) {
        return STEM_RTP_PAYLOAD_TYPE;
    }
    if (length < RTP_HEADER || length < flow->min_payload || length > flow->max_payload) {
        return STEM_RTP_SIZE;
    }
    return STEM_CONTINUE;
}

/* RFC 3550 A.1: contributing sources, extension and padding must fit the datagram. Under SRTP the last octet
 * is a tag's, and says nothing of padding. A function of its own, as few packets have any of the three. */
__noinline int check_lengths(struct xdp_md* context, const struct packet* packet, __u32 secure) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    const __u32 length = packet->payload_length;
    const struct rtp_start* start = octets_at(context, packet->payload_offset, sizeof(*start));
    if (!start) {
        return STEM_RTP_HEADER;
    }
    const __u8 flags = start->version_flags;
    __u32 used = RTP_HEADER + 4u * (flags & RTP_CSRC_COUNT);
    if (flags & RTP_EXTENSION) {
        const struct rtp_start* extension =
            octets_at(context, packet->payload_offset + used, sizeof(*extension));
        if (!extension || used + 4 > length) {
            return STEM_RTP_HEADER;
        }
        used += 4u + 4u * from_be16(extension->sequence);
    }
    if (used > length) {
        return STEM_RTP_HEADER;
    }
    if ((flags & RTP_PADDING) && !secure) {
        const __u8* last = octets_at(context, packet->payload_offset + length - 1, 1);
        if (!last || *last == 0 || *last > length - used) {
            return STEM_RTP_HEADER;
        }
    }
    return STEM_CONTINUE;
}

#endif
