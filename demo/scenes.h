// SPDX-License-Identifier: Apache-2.0
// The scenes, one file each in scenes/. A scene plays on a stage in one family and says what it saw.
#pragma once

#include <span>
#include <string_view>

#include "demo/stage.h"

namespace stem::demo {

struct Scene {
    std::string_view name;
    std::string_view claim; // what the row of the table says
    Result<Outcome> (*play)(Stage& stage, lab::Family family);
};

Result<Outcome> talk(Stage& stage, lab::Family family);
Result<Outcome> forward(Stage& stage, lab::Family family);
Result<Outcome> spam(Stage& stage, lab::Family family);
Result<Outcome> unnegotiated(Stage& stage, lab::Family family);
Result<Outcome> overrate(Stage& stage, lab::Family family);
Result<Outcome> hundred(Stage& stage, lab::Family family);
Result<Outcome> same_port(Stage& stage, lab::Family family);
Result<Outcome> kill_stemd(Stage& stage, lab::Family family);

std::span<const Scene> scenes();

} // namespace stem::demo
