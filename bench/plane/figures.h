// SPDX-License-Identifier: Apache-2.0
// Figures out of lanes that raced.
#pragma once

#include "measure.h"

#include "plane/race.h"

namespace stem::bench {

inline Figure rate_of(std::string name, const Lane& lane) {
    return {.name = std::move(name), .unit = "Mpps", .spread = spread_of(lane.mpps)};
}

inline Figure ratio_of(std::string name, const Lane& own, const Lane& peer, std::optional<double> aim) {
    return {.name = std::move(name),
            .unit = "ratio",
            .spread = spread_of(ratios_of(own.mpps, peer.mpps)),
            .peer = peer.subject->name(),
            .peer_value = spread_of(peer.mpps).median,
            .peer_unit = "Mpps",
            .aim = aim};
}

} // namespace stem::bench
