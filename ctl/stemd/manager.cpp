// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/manager.h"

#include "ctl/stemd/embedded_manager.h"
#include "ctl/stemd/remote_manager.h"

namespace stem::stemd {

Result<std::unique_ptr<Manager>> Manager::open(boost::asio::io_context& loop, const config::Config& config,
                                               const kernel::Instance& instance,
                                               const std::string& database) {
    return config.sm.mode == config::ManagerMode::remote
               ? RemoteManager::open(loop, config, instance)
               : EmbeddedManager::open(loop, config.sm, config.auth, config.audit, instance, database);
}

} // namespace stem::stemd
