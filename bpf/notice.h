/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What stemd must hear of: streams that ended or were lowered, peers that were learned.
 * Writes notices; what found no room is counted in event_counters, and stemd then looks for itself.
 */
#ifndef STEM_BPF_NOTICE_H
#define STEM_BPF_NOTICE_H

#include "event.h"

static __always_inline void notify(const struct packet* packet, __u64 dialog, enum stem_notice_kind kind,
                                   enum stem_reason reason) {
    struct stem_notice* notice = bpf_ringbuf_reserve(&notices, sizeof(*notice), 0);
    if (!notice) {
        count_event(STEM_NOTICES_LOST);
        return;
    }
    notice->time_ns = now_ns();
    notice->dialog = dialog;
    notice->key = packet->key;
    notice->kind = kind;
    notice->reason = reason;
    bpf_ringbuf_submit(notice, 0);
}

#endif
