/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * IPv6 extension headers, for the data plane: parse_extended() as a function of its own, which the verifier
 * follows once, and not once for each way through what comes after.
 *
 * Owns no maps. Costs 10 ns and a few more a header; packets without one do not come here.
 */
#ifndef STEM_BPF_EXTENDED_H
#define STEM_BPF_EXTENDED_H

#include "octets.h"
#include "parse.h"

/* Gives an enum stem_reason, STEM_CONTINUE if the packet can be read. */
__noinline int read_extended(struct xdp_md* context, struct packet* packet) {
    if (!packet) {
        return STEM_INTERNAL;
    }
    struct frame frame = {
        .begin = (void*)(long)context->data,
        .end = (void*)(long)context->data_end,
        .l3 = octets_at(context, packet->l3_offset, sizeof(struct ipv6hdr)),
    };
    return frame.l3 ? parse_extended(&frame, packet) : STEM_INTERNAL;
}

/* Reads on where parse() stopped, and gives `frame` its payload. */
static __always_inline enum stem_reason parse_on(struct xdp_md* context, struct frame* frame,
                                                 struct packet* packet) {
    const enum stem_reason fault = (enum stem_reason)read_extended(context, packet);
    if (fault == STEM_CONTINUE && packet->key.protocol == IPPROTO_UDP && packet->payload_offset) {
        frame->payload = octets_at(context, packet->payload_offset, 0);
    }
    return fault;
}

#endif
