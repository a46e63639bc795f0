// SPDX-License-Identifier: Apache-2.0
// What the local API tells of this stemd.
#pragma once

#include "ctl/api/routes.h"
#include "ctl/stemd/decision_links.h"
#include "ctl/stemd/flood_monitor.h"
#include "ctl/stemd/manager.h"
#include "ctl/stemd/signalling.h"

namespace stem::stemd {

class Backend final : public api::Backend {
  public:
    // All must outlive it.
    struct Sources {
        const kernel::Instance& instance;
        Signalling& signalling;
        FloodMonitor& floods;
        Manager& manager;
        const CountingLink& decisions;
    };
    explicit Backend(const Sources& sources);

    api::Now now() override;
    boost::json::object status() override;
    std::vector<call::DialogInfo> calls() override;
    bool drop_call(std::uint64_t id) override;
    std::vector<tcp::ConnectionInfo> connections() override;
    bool reset_connection(std::uint64_t id) override;
    std::string metrics() override;
    boost::json::object alarms() override;
    Result<> add_trunk(const Address& peer) override;
    bool remove_trunk(const Address& peer) override;
    api::Response security_manager(const api::Request& request) override;

  private:
    Sources from_;
    std::uint64_t started_ns_;
};

} // namespace stem::stemd
