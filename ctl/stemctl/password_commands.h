// SPDX-License-Identifier: Apache-2.0
// The commands of password_command.cpp.
#pragma once

#include "ctl/stemctl/session.h"

namespace stem::stemctl {

void add_user_password_command(CLI::App& user, Session& session); // user password
void add_admin_commands(CLI::App& root, Session& session);        // admin password, del, list
void add_announce_command(CLI::App& root, Session& session);      // announce

} // namespace stem::stemctl
