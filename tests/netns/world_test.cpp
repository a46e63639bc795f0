// SPDX-License-Identifier: Apache-2.0
#include "lab/process.h"
#include "lab/world.h"

#include <gtest/gtest.h>

namespace stem::lab {
namespace {

TEST(World, Pings) {
    for (Mode mode : {Mode::bridge, Mode::router}) {
        auto world = World::create({.mode = mode});
        ASSERT_TRUE(world) << world.error().message();
        for (Family f : {Family::v4, Family::v6}) {
            auto ping = run_command({.name = "ping",
                                     .argv = {"ping", "-c", "2", "-i", "0.2", "-I",
                                              world->outside_address(host::intruder, f).to_string(),
                                              world->proxy(f).to_string()},
                                     .netns = &world->outside()});
            EXPECT_TRUE(ping) << ping.error().message();
            if (ping) puts(ping->c_str());
        }
    }
}

} // namespace
} // namespace stem::lab
