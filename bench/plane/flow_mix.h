/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The streams of the data plane measures, by number: the generator makes their packets, user space their
 * table entries, and both must agree. Addresses are those set apart for benchmarks (RFC 2544 C.2.2, RFC 5180
 * 8).
 */
#ifndef STEM_BENCH_FLOW_MIX_H
#define STEM_BENCH_FLOW_MIX_H

#include <linux/types.h>

#define BENCH_FLOWS_MAX 1000000u

#define BENCH_V4_SOURCE 0xc6120000u      /* 198.18.0.0/16, outside */
#define BENCH_V4_DESTINATION 0xc6130000u /* 198.19.0.0/16, inside */
/* 2001:2:0:18::/64 and 2001:2:0:19::/64; the last 32 bits are the IPv4 address. */
#define BENCH_V6_HIGH 0x20010002u
#define BENCH_V6_SOURCE_LOW 0x00000018u
#define BENCH_V6_DESTINATION_LOW 0x00000019u

#define BENCH_RTP_PAYLOAD 172u /* RTP header and 20 ms of G.711 */

/* All in host byte order. Source address and port alone are unique. */
struct bench_stream {
    __u32 source;
    __u32 destination;
    __u16 source_port;
    __u16 destination_port;
};

static inline struct bench_stream bench_stream_of(__u32 number) {
    struct bench_stream stream;
    stream.source = BENCH_V4_SOURCE | (number & 0xffffu);
    stream.destination = BENCH_V4_DESTINATION | (number & 0xffu);
    stream.source_port = (__u16)(16384u + 2u * (number >> 16));
    stream.destination_port = (__u16)(30000u + 2u * ((number >> 8) & 0x1fffu));
    return stream;
}

#endif
