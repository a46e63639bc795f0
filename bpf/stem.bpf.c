// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * STEM's data plane: the path of a packet, top to bottom. A stage gives a reason, or leaves the packet to the
 * next one; stem_exit() turns the reason into a counter, an event and an action.
 */
#include "deny.h"
#include "exit.h"
#include "extended.h"
#include "failsafe.h"
#include "flow.h"
#include "form.h"
#include "forward.h"
#include "fragment.h"
#include "keep_state.h"
#include "maps.h"
#include "monitored.h"
#include "neighbour.h"
#include "packet.h"
#include "parse.h"
#include "sender.h"
#include "settings.h"
#include "slow_path.h"
#include "syn.h"

#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

/* `reason`, if the packet can come from where it says. */
static __always_inline enum stem_reason from_true_source(struct xdp_md* context, struct packet* packet,
                                                         enum stem_reason reason) {
    const int fault = judge_source(context, packet);
    return fault == STEM_CONTINUE ? reason : (enum stem_reason)fault;
}

static __always_inline enum stem_reason judge_packet(struct xdp_md* context, struct frame* frame,
                                                     struct packet* packet) {
    enum stem_reason reason = parse(frame, packet);
    if (reason == STEM_CONTINUE && is_extended(packet)) {
        reason = parse_on(context, frame, packet);
    }
    if (reason != STEM_CONTINUE) {
        return reason;
    }
    if (stem_mode == STEM_MODE_ROUTER && !is_for_us(frame, packet)) {
        return STEM_OTHER_HOST;
    }
    if (packet->odd) {
        reason = (enum stem_reason)judge_form(context, packet);
        if (reason != STEM_CONTINUE) {
            return reason;
        }
    }
    if (packet->neighbour) {
        reason = (enum stem_reason)judge_neighbour(context, packet);
        if (kind_of(reason) != STEM_KIND_DROP) {
            learn_proxy(context, packet);
        }
        return reason;
    }

    reason = judge_failsafe(packet);
    if (reason != STEM_CONTINUE) {
        int fault = judge_form(context, packet);
        fault = fault == STEM_CONTINUE ? judge_source(context, packet) : fault;
        return fault == STEM_CONTINUE ? reason : (enum stem_reason)fault;
    }
    reason = judge_deny(packet);
    if (reason != STEM_CONTINUE) {
        return reason;
    }
    if (stem_modules & STEM_MODULE_FLOW_MONITOR) {
        reason = judge_flow(context, frame, packet);
        if (reason != STEM_CONTINUE) {
            return reason;
        }
    }
    reason = packet->odd ? STEM_CONTINUE /* was looked at above */
                         : (enum stem_reason)judge_form(context, packet);
    if (reason != STEM_CONTINUE) {
        return reason;
    }
    if (packet->fragment && packet->fragment_start != 0) {
        return (enum stem_reason)judge_later_fragment(context, packet);
    }
    if (stem_mode == STEM_MODE_BRIDGE && packet->key.direction == STEM_OUTBOUND) {
        learn_proxy(context, packet);
    }
    if ((stem_modules & STEM_MODULE_SYN_MONITOR) && packet->key.protocol == IPPROTO_TCP &&
        packet->l4_offset) { /* before kept connections: these have SYNs and answers, too */
        reason = (enum stem_reason)judge_syn(context, packet);
        if (reason != STEM_CONTINUE) {
            return kind_of(reason) == STEM_KIND_DROP ? reason : from_true_source(context, packet, reason);
        }
    }
    if (stem_modules & (STEM_MODULE_PATTERN_MATCHER | STEM_MODULE_SIP_STEERING)) { /* who begin connections */
        reason = (enum stem_reason)judge_state(context, packet);
        if (reason != STEM_CONTINUE) {
            return reason;
        }
    }
    reason = (enum stem_reason)judge_slow_path(context, packet);
    if (kind_of(reason) == STEM_KIND_DROP && packet->after == AFTER_NOTHING) {
        return reason;
    }
    const int fault = judge_source(context, packet); /* only now: most of a flood is dropped without it */
    return fault == STEM_CONTINUE ? judge_after(context, packet, reason) : (enum stem_reason)fault;
}

static __always_inline enum stem_reason judge(struct xdp_md* context, struct frame* frame,
                                              struct packet* packet) {
    const enum stem_reason reason = judge_packet(context, frame, packet);
    return packet->fragment && packet->fragment_start == 0
               ? (enum stem_reason)judge_first_fragment(packet, reason)
               : reason;
}

static __always_inline int run(struct xdp_md* context, enum stem_direction direction) {
    struct frame frame = {
        .begin = (void*)(long)context->data,
        .end = (void*)(long)context->data_end,
    };
    struct packet packet = {.key.direction = (__u8)direction};
    packet.frame_length = context->data_end - context->data;
    enum stem_reason reason = judge(context, &frame, &packet);
    if (is_media_drop(reason)) {
        reason = (enum stem_reason)judge_monitored(&packet, reason);
    }
    return stem_exit(context, &packet, reason);
}

/* One program a port: the side that a packet comes from is then a constant, and shows in `bpftool prog`. */
SEC("xdp")
int stem_external(struct xdp_md* context) {
    return run(context, STEM_INBOUND);
}

SEC("xdp")
int stem_internal(struct xdp_md* context) {
    return run(context, STEM_OUTBOUND);
}

/* Denies an open pinhole, or lets it in again. Run by stemctl: user space could only replace the whole entry,
 * and with it what stemd and the data plane write into it meanwhile. */
SEC("syscall")
int deny_flow(struct stem_deny_flow* about) {
    const struct stem_flow_key key = about->key; /* on the stack, as Linux 6.1 wants its keys */
    struct stem_flow* flow = bpf_map_lookup_elem(&flows, &key);
    about->found = flow != NULL;
    if (flow) {
        flow->denied_by = (__u8)about->origin;
        __builtin_memcpy(flow->denied_note, about->note, sizeof(flow->denied_note));
        flow->denied_until_ns = about->until_ns;
    }
    return 0;
}

/* Takes out kept connections that are over. Run by stemd every few seconds, and by hand. */
SEC("syscall")
int sweep(struct stem_sweep* about) {
    about->removed = (__u32)sweep_states((int)about->all, now_ns_of_call());
    return 0;
}
