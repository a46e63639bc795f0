/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Thresholds: numbers that change while traffic runs. This list is the only place that names them: the layout
 * of the map `thresholds`, its defaults, stemctl's help and checks, the Security Manager's store and
 * docs/thresholds.md all come from it.
 *
 * X(name, unit, default, low, high, help). The name begins with the stage that reads it. A value outside low
 * to high is refused; where `low` is 0, 0 switches the check off, and the help says so.
 *
 * Written by stemd, or by stemctl while there is none; read by the data plane with each packet that needs
 * them. Every field is one word, so that none is ever seen half written; what belongs together may be seen
 * changed in part for one packet.
 */
#ifndef STEM_ABI_THRESHOLD_H
#define STEM_ABI_THRESHOLD_H

#include <stem/abi/address.h>

#define STEM_THRESHOLDS(X)                                                                                   \
    X(keepalive_rate, "packets/s", 100, 1, 1000000, "keep-alives of one source on SIP ports")

struct stem_thresholds {
#define STEM_THRESHOLD_FIELD(name, unit, initial, low, high, help) __u32 name;
    STEM_THRESHOLDS(STEM_THRESHOLD_FIELD)
#undef STEM_THRESHOLD_FIELD
};

static inline void stem_default_thresholds(struct stem_thresholds* thresholds) {
#define STEM_THRESHOLD_DEFAULT(name, unit, initial, low, high, help) thresholds->name = (initial);
    STEM_THRESHOLDS(STEM_THRESHOLD_DEFAULT)
#undef STEM_THRESHOLD_DEFAULT
}

#endif
