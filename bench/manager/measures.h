// SPDX-License-Identifier: Apache-2.0
// The measures of the Security Manager: how many decisions, how late, and a storm of REGISTERs.
#pragma once

#include "measure.h"

#include <memory>

namespace stem::bench {

// Decisions a second on one core, from memory, with the audit trail written, and SQLite behind or
// PostgreSQL. Figures `sm_decisions_per_second` and `sm_decisions_postgresql_per_second`.
std::unique_ptr<Measure> make_decision_rate();

// From the question to the answer: inside the process, figures `sm_decision_embedded_p50_us` and
// `..._p99_us`; and of a stem-smd over TLS on loopback, one at a time, figures `sm_decision_tls_p50_us` and
// `..._p99_us`; over PostgreSQL `sm_decision_tls_postgresql_...`.
std::unique_ptr<Measure> make_decision_latency();

// REGISTERs of 100,000 users learned one after the other, each written to SQLite, or PostgreSQL, before the
// next. Figures `sm_register_storm_per_second`, `sm_register_storm_postgresql_per_second`.
std::unique_ptr<Measure> make_register_storm();

} // namespace stem::bench
