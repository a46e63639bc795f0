// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/embedded_manager.h"

#include <boost/json/serialize.hpp>
#include <spdlog/spdlog.h>

#include "sm/api.h"

namespace stem::stemd {

Result<std::unique_ptr<Manager>> EmbeddedManager::open(boost::asio::io_context& loop,
                                                       const sm::Settings& policy,
                                                       const kernel::Instance& instance,
                                                       const std::string& database) {
    const auto address = sm::StoreAddress::parse(database);
    if (!address) {
        return std::unexpected(address.error());
    }
    auto directory = sm::Directory::open(*address, std::chrono::system_clock::now());
    if (!directory) {
        return std::unexpected(directory.error());
    }
    std::unique_ptr<EmbeddedManager> manager(new EmbeddedManager(std::move(*directory), policy));
    auto thresholds = ThresholdSink::open(instance, manager->directory_->thresholds());
    if (!thresholds) {
        return std::unexpected(thresholds.error());
    }
    manager->thresholds_ = std::move(*thresholds);
    manager->follower_.emplace(loop, *manager->directory_, *address, [](bool grave, const std::string& what) {
        spdlog::log(grave ? spdlog::level::err : spdlog::level::warn, "{}", what);
    });
    manager->follower_->start();
    return manager;
}

api::Response EmbeddedManager::answer(const api::Request& request) {
    auto reply = sm::handle(*directory_, decider_, request.method, request.target, request.body,
                            std::chrono::system_clock::now(), request.who);
    return {.status = reply.status,
            .body = reply.json.is_null() ? std::string() : boost::json::serialize(reply.json),
            .allow = std::move(reply.allow)};
}

boost::json::object EmbeddedManager::status() const {
    const auto& store = directory_->store();
    return {{"mode", "embedded"},
            {"database",
             {{"name", store.name()},
              {"shared", store.shared()},
              {"connected", !store.lost()},
              {"bindings_waiting", directory_->waiting()}}}};
}

Manager::Figures EmbeddedManager::figures() const {
    return {.bindings = link_.counters()};
}

Result<> EmbeddedManager::every_minute() {
    const auto expired = directory_->expire(std::chrono::system_clock::now());
    return expired ? Result<>() : std::unexpected(expired.error());
}

Result<> EmbeddedManager::reload() {
    return thresholds_->push();
}

} // namespace stem::stemd
