// SPDX-License-Identifier: Apache-2.0
// The measures of signalling: calls through stemd, on the demo's stage in bridge mode, over IPv4.
#pragma once

#include "measure.h"

#include <memory>

namespace stem::bench {

// CPU time of stemd for a complete call, beside that of Kamailio, which carries the same calls: INVITE, 100,
// 180, 200, ACK, BYE, 200. Figure `stemd_cpu_us_per_call`.
std::unique_ptr<Measure> make_call_cost();

// How much later an INVITE arrives than through a Linux bridge. Figures `invite_added_delay_p50_us` and
// `..._p99_us`: the difference of the two paths' percentiles.
std::unique_ptr<Measure> make_invite_delay();

// From the answer's arrival at the caller until RTP of the caller is through. Figure
// `pinhole_open_delay_p99_us`.
std::unique_ptr<Measure> make_pinhole_open();

// From the arrival of the 200 to a BYE until RTP is blocked: as configured by default, figure
// `pinhole_close_delay_p99_us`, and with [media] close_grace_ms = 0, figure
// `pinhole_close_delay_no_grace_p99_us`.
std::unique_ptr<Measure> make_pinhole_close();

} // namespace stem::bench
