// SPDX-License-Identifier: Apache-2.0
// Tells systemd what stemd is doing (sd_notify(3), Type=notify); nothing where systemd did not start it.
#pragma once

#include <string_view>

namespace stem {

void notify_service_manager(std::string_view state); // "READY=1", "STOPPING=1"

} // namespace stem
