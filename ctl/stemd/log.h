// SPDX-License-Identifier: Apache-2.0
// The log: lines on the standard error output, which systemd takes to its journal.
#pragma once

#include "ctl/config/config.h"

namespace stem::stemd {

void open_log();
void set_log_level(config::LogLevel level);

} // namespace stem::stemd
