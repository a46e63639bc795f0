// SPDX-License-Identifier: Apache-2.0
// Takes an instance off its ports and out of the kernel. Works on whatever is left of it, of any version.
#pragma once

#include "ctl/kernel/locations.h"

#include <string_view>

namespace stem::kernel {

// Links first, then the pins. Refuses while stemd runs on the instance, unless `force`.
Result<> detach(const Locations& locations, std::string_view instance, bool force);

} // namespace stem::kernel
