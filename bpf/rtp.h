/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Is this the media that was negotiated? Checks that cost nothing beside the lookup: version, payload type,
 * size (RFC 3550 5.1 and 6.4, RFC 5761 4). Owns no maps.
 */
#ifndef STEM_BPF_RTP_H
#define STEM_BPF_RTP_H

#include "packet.h"

struct rtp_start {
    __u8 version_flags; /* version 2 bits, padding, extension, CSRC count 4 bits */
    __u8 marker_type;   /* marker, payload type 7 bits; in RTCP: packet type */
    __be16 sequence;    /* in RTCP: length in words, less one */
};

#define RTP_HEADER 12
#define RTCP_HEADER 8
/* RFC 5761 4: RTCP's packet types, read as an RTP payload type, are 64 to 95 with the marker set. */
#define RTCP_TYPE_FIRST 192
#define RTCP_TYPE_LAST 223

static __always_inline int is_rtcp(const struct rtp_start* start, __u16 length) {
    if (start->marker_type < RTCP_TYPE_FIRST || start->marker_type > RTCP_TYPE_LAST) {
        return 0;
    }
    /* The first packet of a compound one must fit the datagram. */
    return length >= RTCP_HEADER && ((__u32)from_be16(start->sequence) + 1) * 4 <= length;
}

static __always_inline enum stem_reason check_media(const struct frame* frame, const struct packet* packet,
                                                    const struct stem_flow* flow) {
    const struct rtp_start* start = frame->payload;
    const __u16 length = packet->payload_length;

    if ((void*)(start + 1) > frame->end || length < RTCP_HEADER) {
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

#endif
