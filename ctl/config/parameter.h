// SPDX-License-Identifier: Apache-2.0
// The description of stemd's configuration, from which reading, checking and documentation come.
#pragma once

#include "ctl/config/config.h"
#include "lib/settings/parameter.h"

namespace stem::config {

using Parameter = settings::Parameter<Config>;
using settings::Section;

// ctl/config/table.cpp has the list.
const settings::Schema<Config>& schema();

} // namespace stem::config
