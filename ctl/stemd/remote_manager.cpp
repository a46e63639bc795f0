// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/remote_manager.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <stem/threshold.h>

#include "ctl/kernel/version.h"
#include "sm/timestamp.h"

namespace stem::stemd {
namespace {

constexpr int misdirected = 421; // RFC 9110 15.5.20

smlink::Settings settings_of(const config::SecurityManager& sm, const std::string& instance) {
    return {.servers = sm.servers,
            .files = {sm.certificate, sm.key, sm.ca, sm.crl},
            .name = instance,
            .software = fmt::format("stemd {}", kernel::version),
            .on_loss = sm.on_loss,
            .hold = sm.hold,
            .retry_after = sm.retry_after,
            .query_timeout = sm.query_timeout,
            .reconnect_min = sm.reconnect_min,
            .reconnect_max = sm.reconnect_max,
            .skew = sm.skew,
            .cache = sm.cache.empty() ? "/var/lib/stem/" + instance + ".snapshot" : sm.cache,
            .cache_max_age = sm.cache_max_age};
}

Result<std::shared_ptr<tls::Credentials>> load_credentials(const tls::Files& files) {
    auto credentials = tls::Credentials::load(files, tls::End::client);
    if (!credentials) {
        return credentials;
    }
    const auto identity = (*credentials)->certificate().identity();
    if (!identity || identity->role != pki::Role::firewall) {
        return fail("use certificate " + files.certificate.string(), "its role is not firewall",
                    "issue one with stemctl pki issue firewall NAME");
    }
    return credentials;
}

} // namespace

Result<std::unique_ptr<Manager>> RemoteManager::open(boost::asio::io_context& loop,
                                                     const config::Config& config,
                                                     const kernel::Instance& instance) {
    auto settings = settings_of(config.sm, instance.name());
    auto credentials = load_credentials(settings.files);
    if (!credentials) {
        return std::unexpected(credentials.error());
    }
    auto thresholds = ThresholdWriter::open(instance);
    if (!thresholds) {
        return std::unexpected(thresholds.error());
    }
    auto deny = kernel::DenyList::open(instance);
    if (!deny) {
        return std::unexpected(deny.error());
    }
    std::error_code ignored; // where it cannot be made, the snapshot's file tells so
    std::filesystem::create_directories(settings.cache.parent_path(), ignored);
    std::unique_ptr<RemoteManager> manager(new RemoteManager(std::move(*thresholds), std::move(*deny)));
    auto* own = manager.get();
    manager->link_ = std::make_unique<smlink::RemoteLink>(
        loop, std::move(settings), std::move(*credentials),
        smlink::RemoteLink::Instructed{
            .thresholds = [own](const auto& push) { return own->take_thresholds(push); },
            .deny = [own](const auto& instruction) { return own->deny(instruction); }});
    return manager;
}

Result<> RemoteManager::take_thresholds(const channel::ThresholdsPush& push) {
    stem_thresholds values{};
    for (const auto& info : stem::thresholds()) {
        const auto told = push.values.find(std::string(info.name));
        const std::int64_t value = told == push.values.end() ? info.initial : told->second;
        if (auto good = check_threshold(info, value); !good) {
            return good;
        }
        values.*info.field = static_cast<std::uint32_t>(value);
    }
    for (const auto& [name, value] : push.values) {
        if (find_threshold(name) == nullptr) {
            spdlog::warn("the Security Manager has a threshold {} = {}, which this version does not know",
                         name, value);
        }
    }
    return thresholds_.write(values);
}

Result<> RemoteManager::deny(const channel::DenyInstruction& instruction) {
    const auto added =
        deny_.add({.source = instruction.source,
                   .lifetime = instruction.lifetime.count() == 0
                                   ? std::nullopt
                                   : std::optional<std::chrono::nanoseconds>(instruction.lifetime),
                   .origin = STEM_DENY_SM,
                   .note = instruction.note});
    if (!added) {
        return std::unexpected(added.error());
    }
    spdlog::info("{} is denied for {}, as the Security Manager says: {}", instruction.source.to_string(),
                 instruction.lifetime.count() == 0 ? std::string("ever")
                                                   : fmt::format("{} s", instruction.lifetime.count()),
                 instruction.note);
    return {};
}

api::Response RemoteManager::answer(const api::Request& request) {
    const auto& servers = link_->settings().servers;
    return api::refusal(misdirected, Error{.attempt = request.method + " " + std::string(request.path()),
                                           .cause = "the Security Manager is not in stemd, but at " +
                                                    fmt::format("{}", fmt::join(servers, ", ")),
                                           .remedy = "ask it: stemctl --sm https://" + servers.front() +
                                                     " --sm-cert FILE --sm-key FILE --sm-ca FILE"});
}

boost::json::object RemoteManager::status() const {
    const auto status = link_->status();
    const auto& counts = link_->counts();
    boost::json::object counters;
#define STEM_LINK_COUNT(member, label, help) counters[label] = counts.member;
    STEM_LINK_COUNTS(STEM_LINK_COUNT)
#undef STEM_LINK_COUNT
    const auto text_or_null = [](const std::string& text) {
        return text.empty() ? boost::json::value() : boost::json::value(text);
    };
    return {{"mode", "remote"},
            {"connected", status.connected},
            {"server", status.server},
            {"manager", text_or_null(status.manager)},
            {"since", sm::to_timestamp(status.since)},
            {"failure", text_or_null(status.failure)},
            {"on_loss", link_->settings().on_loss == smlink::OnLoss::cache ? "cache" : "hold"},
            {"thresholds_version", status.thresholds_version < 0
                                       ? boost::json::value()
                                       : boost::json::value(status.thresholds_version)},
            {"waiting", status.waiting},
            {"outbox", status.outbox},
            {"outbox_lost", status.outbox_lost},
            {"snapshot",
             status.snapshot ? boost::json::value(sm::to_timestamp(*status.snapshot)) : boost::json::value()},
            {"snapshot_usable", status.snapshot_usable},
            {"counts", std::move(counters)}};
}

Manager::Figures RemoteManager::figures() const {
    return {.link = link_->status(), .link_counts = link_->counts(), .refusals = link_->refusals()};
}

Result<> RemoteManager::reload() {
    auto credentials = load_credentials(link_->settings().files);
    if (!credentials) {
        return std::unexpected(credentials.error());
    }
    link_->set_credentials(std::move(*credentials));
    return {};
}

} // namespace stem::stemd
