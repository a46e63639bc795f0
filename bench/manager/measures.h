// SPDX-License-Identifier: Apache-2.0
// The measures of the Security Manager: how many decisions, how late, and a storm of REGISTERs.
#pragma once

#include "measure.h"

#include <memory>

namespace stem::bench {

// Decisions a second on one core, from memory, with SQLite behind and the audit trail written. Figure
// `sm_decisions_per_second`.
std::unique_ptr<Measure> make_decision_rate();

// From the question to the answer: inside the process, figures `sm_decision_embedded_p50_us` and
// `..._p99_us`; and of a stem-smd over TLS on loopback, one at a time, figures `sm_decision_tls_p50_us` and
// `..._p99_us`.
std::unique_ptr<Measure> make_decision_latency();

// REGISTERs of 100,000 users learned one after the other, each written to SQLite before the next. Figure
// `sm_register_storm_per_second`.
std::unique_ptr<Measure> make_register_storm();

} // namespace stem::bench
