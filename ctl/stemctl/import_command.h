// SPDX-License-Identifier: Apache-2.0
// user import and location import, for the groups of those names.
#pragma once

#include "ctl/stemctl/session.h"

namespace stem::stemctl {

void add_user_import_command(CLI::App& user, Session& session);
void add_location_import_command(CLI::App& location, Session& session);

} // namespace stem::stemctl
