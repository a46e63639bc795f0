// SPDX-License-Identifier: Apache-2.0
// A SIP connection over TCP as JSON; docs/api.md has the fields.
#pragma once

#include <ctl/tcp/table.h>

#include "ctl/api/call_json.h"

namespace stem::api {

boost::json::object to_json(const tcp::ConnectionInfo& connection, const Now& now);

} // namespace stem::api
