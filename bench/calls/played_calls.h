// SPDX-License-Identifier: Apache-2.0
// SIPp against SIPp through the middle of a world, with real RTP beside it.
#pragma once

#include "calls/call_case.h"
#include "lab/world.h"

#include <stem/error.h>

#include <cstdint>

namespace stem::bench {

struct PlayedCalls {
    unsigned calls = 0;
    unsigned lived = 0;
};

// Another `port` of the caller for each play, so that what is late of one is none of the next one's.
Result<PlayedCalls> play_calls(const lab::World& world, const CallCase& call_case, lab::Family family,
                               std::uint16_t port);

} // namespace stem::bench
