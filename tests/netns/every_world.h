// SPDX-License-Identifier: Apache-2.0
// The worlds that a test is played in: bridge and router, IPv4 and IPv6 alike.
#pragma once

#include "lab/world.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>

namespace stem::lab {

using WorldKind = std::tuple<Mode, Family>;

inline auto every_world() {
    return testing::Combine(testing::Values(Mode::bridge, Mode::router),
                            testing::Values(Family::v4, Family::v6));
}

// "router_v6"
inline std::string name_of_world(const testing::TestParamInfo<WorldKind>& world) {
    const auto [mode, family] = world.param;
    return std::string(mode == Mode::bridge ? "bridge" : "router") + (family == Family::v4 ? "_v4" : "_v6");
}

} // namespace stem::lab
