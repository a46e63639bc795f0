/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is fixed when an instance is attached. The verifier sees these as constants, so that what is switched
 * off costs nothing.
 */
#ifndef STEM_BPF_SETTINGS_H
#define STEM_BPF_SETTINGS_H

#include <stem/abi/meta.h>

const volatile __u32 stem_mode = STEM_MODE_BRIDGE;
const volatile __u32 stem_modules = STEM_MODULES_INITIAL; /* enum stem_module */
const volatile __u8 stem_fallback_open = 0;               /* SIP while stemd is away: 0 drops, 1 forwards */
const volatile __u8 stem_port_mac[STEM_PORTS][6];         /* router mode: our own stations */
const volatile __u32 stem_event_rate = 1000;              /* sampled events, per second and CPU */
const volatile __u32 stem_states_max = 65536;             /* entries of `states`, and of `steered` */
const volatile __u8 stem_test_clock = 0;                  /* tests: time is stem_test_now_ns */

#endif
