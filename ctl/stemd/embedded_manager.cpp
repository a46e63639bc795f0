// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/embedded_manager.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <random>
#include <string>

#include "sm/api.h"
#include "sm/auth/announcement_api.h"

namespace stem::stemd {
namespace {

// machine-id(5): tells machines apart that have the same name.
std::string machine() {
    std::string id;
    std::ifstream file("/etc/machine-id");
    if (!std::getline(file, id) || id.empty()) {
        std::array<char, 256> host{};
        ::gethostname(host.data(), host.size() - 1);
        id = host.data();
    }
    return id;
}

} // namespace

EmbeddedManager::EmbeddedManager(std::unique_ptr<sm::Directory> directory,
                                 std::unique_ptr<sm::audit::Trail> trail, const sm::Settings& policy)
    : directory_(std::move(directory)), trail_(std::move(trail)),
      admission_(*directory_, policy, trail_.get()), link_(*directory_, admission_) {
    admission_.on_warning([](const std::string& text) { spdlog::warn("{}", text); });
    trail_->on_trouble([](const std::string& failure) {
        if (failure.empty()) {
            spdlog::info("the audit trail is written again");
        } else {
            spdlog::error("{}: calls are decided without a record", failure);
        }
    });
}

Result<std::unique_ptr<Manager>>
EmbeddedManager::open(boost::asio::io_context& loop, const config::SecurityManager& settings,
                      const auth::Settings& authentication, const config::Audit& audit,
                      const kernel::Instance& instance, const std::string& database) {
    const auto address = sm::StoreAddress::parse(database);
    if (!address) {
        return std::unexpected(address.error());
    }
    auto directory = sm::Directory::open(*address, std::chrono::system_clock::now());
    if (!directory) {
        return std::unexpected(directory.error());
    }
    auto trail =
        sm::audit::Trail::open(audit.settings(address->shared() ? std::string() : database, instance.name()));
    if (!trail) {
        return std::unexpected(trail.error());
    }
    std::unique_ptr<EmbeddedManager> manager(
        new EmbeddedManager(std::move(*directory), std::move(*trail), settings.policy));
    if (address->shared()) {
        const auto own = fmt::format("stemd {} {}", machine(), instance.name());
        manager->admission_.share_counts_as(fmt::format("{} {:08x}", own, std::random_device()()), own);
    }
    auto authenticator =
        auth::Authenticator::create(loop, *manager->directory_, settings.policy.realm, authentication);
    if (!authenticator) {
        return std::unexpected(authenticator.error());
    }
    manager->authenticator_ = std::move(*authenticator);
    manager->authenticating_.emplace(
        *manager->authenticator_, manager->link_,
        [&admission = manager->admission_](const sm::Query& query, const sm::Decision& refusal) {
            admission.refused(query, refusal, sm::EmbeddedLink::firewall);
        });
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
    const auto now = std::chrono::system_clock::now();
    auto reply =
        auth::serves_announcements(request.target)
            ? auth::handle_announcements(*directory_, authenticator_->announcements(),
                                         {.method = request.method,
                                          .target = request.target,
                                          .body = request.body,
                                          .user = {},
                                          .source = {}},
                                         now)
            : sm::handle({.directory = *directory_, .admission = admission_, .now = now, .who = request.who},
                         request.method, request.target, request.body);
    return {.status = reply.status,
            .body = reply.json.is_null() ? std::string() : boost::json::serialize(reply.json),
            .allow = std::move(reply.allow)};
}

boost::json::object EmbeddedManager::status() const {
    const auto& store = directory_->store();
    const auto& audit = trail_->counts();
    return {{"mode", "embedded"},
            {"database",
             {{"name", store.name()},
              {"shared", store.shared()},
              {"connected", !store.lost()},
              {"bindings_waiting", directory_->waiting()}}},
            {"calls", admission_.calls().size()},
            {"audit",
             {{"file", trail_->settings().file.string()},
              {"written", audit.written},
              {"lost", audit.lost},
              {"failure",
               trail_->failure().empty() ? boost::json::value() : boost::json::value(trail_->failure())}}}};
}

Manager::Figures EmbeddedManager::figures() const {
    return {.bindings = link_.counters(),
            .admission = admission_.counts(),
            .audit = trail_->counts(),
            .authentication = authenticator_->counts()};
}

Result<> EmbeddedManager::every_minute() {
    authenticator_->expire();
    const auto expired = directory_->expire(std::chrono::system_clock::now());
    return expired ? Result<>() : std::unexpected(expired.error());
}

Result<> EmbeddedManager::reload() {
    if (auto reopened = trail_->reopen(trail_->settings()); !reopened) {
        return reopened;
    }
    return thresholds_->push();
}

} // namespace stem::stemd
