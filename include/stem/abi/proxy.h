/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The SIP proxy that calls from outside are sent to, whichever inside address they call.
 *
 * Map `proxies`, by enum stem_proxy_family. Written by stemctl; the data plane fills in a link address that
 * it learns. Map `steered`: who was sent there, so that answers come back as from the address that was
 * called; its key is struct stem_state_key with the proxy as the inside end.
 */
#ifndef STEM_ABI_PROXY_H
#define STEM_ABI_PROXY_H

#include <stem/abi/address.h>

enum stem_proxy_family {
    STEM_PROXY_V4 = 0,
    STEM_PROXY_V6 = 1,
    STEM_PROXIES = 2,
};

enum stem_proxy_flag {
    STEM_PROXY_MAC_FIXED = 1 << 0,   /* the operator gave the link address: nothing is learned */
    STEM_PROXY_MAC_LEARNED = 1 << 1, /* kernel */
};

struct stem_proxy {
    struct stem_addr address;
    __u16 port; /* host byte order; 0: no proxy for this family */
    __u8 flags; /* enum stem_proxy_flag */
    __u8 zero;
    __u8 mac[6]; /* bridge mode: the link address that frames to the proxy carry */
    __u8 zero2[6];
};
STEM_ABI_ASSERT(sizeof(struct stem_proxy) == 32);

struct stem_steered {
    struct stem_addr called; /* the address that the client knows */
    __u64 last_seen_ns;      /* CLOCK_MONOTONIC, of the client's packets and the proxy's */
    __u16 called_port;       /* host byte order */
    __u8 answered;           /* 1: the proxy has sent something back */
    __u8 zero[5];
};
STEM_ABI_ASSERT(sizeof(struct stem_steered) == 32);

#endif
