// SPDX-License-Identifier: Apache-2.0
// The measure of the protocol parser.
#pragma once

#include "measure.h"

#include <memory>

namespace stem::bench {

// CPU time of a SIP message and its session description in the parser, by octet: for the dearest of crafted
// messages of 1.4 to 8 kB, figure `parser_worst_ns_per_byte`, and for an ordinary INVITE.
std::unique_ptr<Measure> make_parser_cost();

} // namespace stem::bench
