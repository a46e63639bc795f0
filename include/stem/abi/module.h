/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Modules: the parts of the data plane that are switched on and off, each for itself, while traffic runs
 * (`stemctl modules`). This list is the only place that names them: the bits of `stem_modules`, stemctl's
 * words, JSON, metrics and docs/modules.md all come from it.
 *
 * X(name, bit, initial, label, help, without). initial: 1 = on after an attach that does not say otherwise.
 * without: what its absence means, so that an operator sees what it closes and what it opens. Bits are never
 * reused. Parsing, fail-safe list, deny list and default policies are no modules: they are always on.
 */
#ifndef STEM_ABI_MODULE_H
#define STEM_ABI_MODULE_H

#include <stem/abi/address.h>

#define STEM_MODULES(X)                                                                                      \
    X(PATTERN_MATCHER, 0, 1, "pattern_matcher", "static rules",                                              \
      "no static rule counts, neither those that pass nor those that drop or steer; SIP steering and the "   \
      "default policies judge what the rules judged: a policy `pass` then opens what a rule dropped")        \
    X(FLOW_MONITOR, 1, 1, "flow_monitor", "pinholes: media of calls, checked and policed by codec",          \
      "no pinhole counts: media of calls is dropped unless a rule or policy passes it, and then it is "      \
      "neither checked nor policed; stemd sees its calls fall silent, and ends them when its patience does") \
    X(SIP_STEERING, 2, 1, "sip_steering", "SIP to stemd; keep-alives told apart",                            \
      "SIP is no longer given to stemd: a rule or the policy decides, drops it unless one passes it, and "   \
      "lets it through unjudged if one does; keep-alives have no budget of their own")                       \
    X(SYN_MONITOR, 3, 1, "syn_monitor", "TCP connection attempts from outside, held to budgets",             \
      "SYNs are not counted: rules and policy alone decide, and a SYN flood that they pass reaches hosts")   \
    X(SYN_COOKIE, 4, 0, "syn_cookie", "unknown TCP sources prove themselves while there is a SYN flood",     \
      "under a SYN flood unknown sources share one budget, the real ones among them with the spoofed")

enum stem_module {
#define STEM_MODULE_BIT(name, bit, initial, label, help, without) STEM_MODULE_##name = 1 << (bit),
    STEM_MODULES(STEM_MODULE_BIT)
#undef STEM_MODULE_BIT
};

enum {
#define STEM_MODULE_ALL_OR(name, bit, initial, label, help, without) | STEM_MODULE_##name
#define STEM_MODULE_INITIAL_OR(name, bit, initial, label, help, without) | ((initial) << (bit))
    STEM_MODULES_ALL = 0 STEM_MODULES(STEM_MODULE_ALL_OR),
    STEM_MODULES_INITIAL = 0 STEM_MODULES(STEM_MODULE_INITIAL_OR),
#undef STEM_MODULE_ALL_OR
#undef STEM_MODULE_INITIAL_OR
    STEM_MODULE_SLOTS = 16, /* room for so many */
};

#endif
