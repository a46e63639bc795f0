// SPDX-License-Identifier: Apache-2.0
// All that the Decider needs, as one JSON text: made by a Security Manager, read by a firewall that must
// decide without one.
#pragma once

#include "sm/directory.h"
#include "sm/settings.h"

#include <memory>
#include <string>
#include <string_view>

namespace stem::sm {

std::string snapshot_of(const Directory& directory, const Settings& settings);

struct Snapshot {
    std::unique_ptr<Directory> directory; // keeps nothing: what changes it is gone with it
    Settings settings;
};
Result<Snapshot> snapshot_from(std::string_view text);

} // namespace stem::sm
