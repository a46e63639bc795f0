// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The least that steers as the data plane does: every frame of both ports goes to the AF_XDP socket of its
 * queue, with metadata in front. A frame whose source address ends in 0xff gets none.
 */
#include <stem/abi/steer.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

const volatile __u32 external_ifindex;
__u64 marked_frames; /* frames from a source address 02:00:00:00:aX:XX, as the test sends */

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, STEM_XSKS_MAX);
    __type(key, __u32);
    __type(value, __u32);
} xsks SEC(".maps");

static void describe(struct xdp_md* ctx, __u8 direction) {
    if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct stem_steer_meta)) != 0)
        return;
    struct stem_steer_meta* meta = (void*)(long)ctx->data_meta;
    if ((void*)(meta + 1) > (void*)(long)ctx->data)
        return;
    meta->magic = STEM_STEER_MAGIC;
    meta->direction = direction;
    meta->flags = STEM_STEER_READY;
    meta->reason = 0;
    meta->time_ns = bpf_ktime_get_ns();
}

SEC("xdp")
int redirect_all(struct xdp_md* ctx) {
    const __u8* frame = (void*)(long)ctx->data;
    if (frame + 14 > (__u8*)(long)ctx->data_end)
        return XDP_DROP;
    if (frame[6] == 2 && (frame[10] & 0xf0) == 0xa0)
        __sync_fetch_and_add(&marked_frames, 1);
    const int described = frame[11] != 0xff;
    const __u8 port = ctx->ingress_ifindex == external_ifindex ? STEM_PORT_EXTERNAL : STEM_PORT_INTERNAL;
    if (described)
        describe(ctx, port);
    return (int)bpf_redirect_map(&xsks, port * STEM_QUEUES_MAX + ctx->rx_queue_index, XDP_DROP);
}

char _license[] SEC("license") = "Dual BSD/GPL";
