// SPDX-License-Identifier: Apache-2.0
// Which request asks what. docs/api.md describes it for users.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/api/call_json.h"
#include "ctl/api/connection_json.h"
#include "ctl/api/message.h"

namespace stem::api {

// What stands behind the API.
class Backend {
  public:
    Backend() = default;
    virtual ~Backend() = default;
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    virtual Now now() = 0;
    virtual boost::json::object status() = 0;
    virtual std::vector<call::DialogInfo> calls() = 0;
    virtual bool drop_call(std::uint64_t id) = 0; // false: there is no such call
    virtual std::vector<tcp::ConnectionInfo> connections() = 0;
    virtual bool reset_connection(std::uint64_t id) = 0; // false: there is none that is open
    virtual std::string metrics() = 0;                   // Prometheus text format 0.0.4
    virtual boost::json::object alarms() = 0;
    virtual Result<> add_trunk(const Address& peer) = 0;
    virtual bool remove_trunk(const Address& peer) = 0; // false: it is none
    // Everything else under /v1/ is the Security Manager's.
    virtual Response security_manager(const Request& request) = 0;
};

// True for what stemd answers itself; false for what it gives to the Security Manager. `path` without a
// query.
bool is_stemds_own(std::string_view path);

// GET  /v1/status, /v1/calls, /v1/calls/ID, /v1/alarms, /metrics
// GET  /v1/connections, DELETE /v1/connections/ID
// PUT, DELETE /v1/peers/ADDRESS
// POST /v1/calls/ID/drop, DELETE /v1/calls/ID
Response answer(Backend& backend, const Request& request);

} // namespace stem::api
