// SPDX-License-Identifier: Apache-2.0
#include "sm/server/service.h"

#include "sm/auth/announcement_api.h"
#include "sm/field_reader.h"
#include "sm/json.h"
#include "sm/server/firewall_session.h"
#include "sm/snapshot.h"
#include "sm/timestamp.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>

#include <unistd.h>

namespace stem::smd {
namespace {

namespace json = boost::json;

constexpr std::string_view firewalls_path = "/v1/firewalls";
constexpr int seconds_per_minute = 60;

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find('?'));
}

Service::Reply to_reply(const json::value& value, int status = 200) {
    return {.status = status, .body = value.is_null() ? std::string() : json::serialize(value)};
}

Service::Reply refusal(int status, const Error& error) {
    return to_reply(sm::to_json(error), status);
}

Service::Reply wrong_method(const Service::Request& request, std::string allow) {
    auto reply = refusal(405, Error{.attempt = fmt::format("{} {}", request.method, path_of(request.target)),
                                    .cause = "not possible",
                                    .remedy = "possible: " + allow});
    reply.allow = std::move(allow);
    return reply;
}

} // namespace

Service::Service(const Config& config, std::unique_ptr<sm::Directory> directory,
                 std::unique_ptr<sm::audit::Trail> trail, std::shared_ptr<tls::Credentials> credentials)
    : config_(config), directory_(std::move(directory)), trail_(std::move(trail)),
      admission_(*directory_, config.sm.policy, trail_.get()), credentials_(std::move(credentials)),
      name_(credentials_->certificate().identity().value_or(pki::Identity{}).name),
      audit_(config.log.refusals_per_second, *trail_), started_(std::chrono::steady_clock::now()) {
    if (directory_->store().shared()) {
        // Its certificate may be another's, too.
        admission_.share_counts_as(fmt::format("stem-smd {} {:08x}", name_, std::random_device()()), name_);
    }
    admission_.on_warning([](const std::string& text) { spdlog::warn("{}", text); });
    trail_->on_trouble([](const std::string& failure) {
        if (failure.empty()) {
            spdlog::info("the audit trail is written again");
        } else {
            spdlog::error("{}: calls are decided without a record", failure);
        }
    });
    directory_->thresholds().on_change([this] {
        push_thresholds();
        return Result<>();
    });
}

Service::~Service() {
    directory_->thresholds().on_change({});
}

bool Service::may_begin_channel(const tls::Peer& peer) {
    if (peer.identity.role == pki::Role::firewall) {
        return true;
    }
    ++counts_.forbidden;
    audit_.refused(peer.identity.text(), "a control channel: only firewalls have one");
    return false;
}

Service::Reply Service::forbidden(const tls::Peer& peer, const Request& request) {
    ++counts_.forbidden;
    audit_.refused(peer.identity.text(),
                   fmt::format("{} {}: not for its role", request.method, request.target));
    return refusal(403,
                   Error{.attempt = fmt::format("{} {}", request.method, path_of(request.target)),
                         .cause = fmt::format("not for the role {}", label_of(peer.identity.role)),
                         .remedy = "ask with a certificate of the role admin (stemctl pki issue admin)"});
}

Service::Reply Service::answer(const tls::Peer& peer, const Request& request) {
    ++counts_.requests;
    // For everyone whose certificate we believe: who am I to you?
    if (path_of(request.target) == "/v1/identity") {
        return request.method == "GET"
                   ? to_reply(json::object{{"role", label_of(peer.identity.role)},
                                           {"name", peer.identity.name},
                                           {"serial", peer.certificate.serial()},
                                           {"not_after", sm::to_timestamp(peer.certificate.not_after())},
                                           {"server", name_}})
                   : wrong_method(request, "GET");
    }
    const bool may_announce =
        peer.identity.role == pki::Role::terminal || peer.identity.role == pki::Role::admin;
    if (authenticator_ != nullptr && may_announce && auth::serves_announcements(request.target)) {
        return announce(peer.identity, request);
    }
    return peer.identity.role == pki::Role::admin ? administer(peer.identity, request)
                                                  : forbidden(peer, request);
}

Service::Reply Service::answer_administrator(const pki::Identity& asker, const Request& request) {
    ++counts_.requests;
    if (path_of(request.target) == "/v1/identity") {
        return request.method == "GET"
                   ? to_reply(json::object{
                         {"role", label_of(asker.role)}, {"name", asker.name}, {"server", name_}})
                   : wrong_method(request, "GET");
    }
    return auth::serves_announcements(request.target) ? announce(asker, request) : administer(asker, request);
}

void Service::log_in(const std::string& name, const std::string& password, const std::string& address,
                     std::function<void(auth::Authenticator::Login)> done) {
    const auto from = Address::parse(address);
    if (authenticator_ == nullptr || !from) {
        done(auth::Authenticator::Login::unavailable);
        return;
    }
    const std::string who = fmt::format("administrator {} at {}", printable(name), address);
    authenticator_->log_in(name, password, *from, [this, who, done = std::move(done)](auto login) {
        if (login == auth::Authenticator::Login::right) {
            ++counts_.logins;
        } else {
            ++counts_.logins_refused;
            audit_.refused(who, auth::text_of(login));
        }
        done(login);
    });
}

Service::Reply Service::administer(const pki::Identity& asker, const Request& request) {
    const std::string_view path = path_of(request.target);
    const bool get = request.method == "GET";
    if (path == "/v1/status") {
        return get ? to_reply(status()) : wrong_method(request, "GET");
    }
    if (path == "/metrics") {
        return get ? Reply{.body = metrics(), .content_type = "text/plain; version=0.0.4"}
                   : wrong_method(request, "GET");
    }
    if (path == firewalls_path) {
        return get ? to_reply(firewalls()) : wrong_method(request, "GET");
    }
    if (path.starts_with(firewalls_path) && path[firewalls_path.size()] == '/') {
        return of_firewalls(asker, request, path.substr(firewalls_path.size() + 1));
    }
    const std::string who = asker.text();
    auto reply = sm::handle({.directory = *directory_, .admission = admission_, .now = now(), .who = who},
                            request.method, request.target, request.body);
    // A backup holds everything.
    if (!get || path == "/v1/backup") {
        audit_.changed(asker.text(),
                       fmt::format("{} {} -> {}", request.method, request.target, reply.status));
    }
    auto out = to_reply(reply.json, reply.status);
    out.allow = std::move(reply.allow);
    return out;
}

// `rest`: "fw1/deny"
Service::Reply Service::of_firewalls(const pki::Identity& asker, const Request& request,
                                     std::string_view rest) {
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos || rest.substr(slash) != "/deny") {
        return refusal(404, Error{.attempt = fmt::format("{} {}", request.method, path_of(request.target)),
                                  .cause = "there is nothing",
                                  .remedy = "GET /v1/firewalls, POST /v1/firewalls/NAME/deny"});
    }
    return request.method == "POST" ? deny(asker, request, std::string(rest.substr(0, slash)))
                                    : wrong_method(request, "POST");
}

Service::Reply Service::deny(const pki::Identity& asker, const Request& request,
                             const std::string& firewall) {
    json::error_code error;
    const json::value body = json::parse({request.body.data(), request.body.size()}, error);
    const auto* object = error ? nullptr : body.if_object();
    if (object == nullptr) {
        return refusal(400, Error{.attempt = "read a deny instruction",
                                  .cause = "not a JSON object",
                                  .remedy = R"(send {"source": "192.0.2.1", "lifetime": 600, "note": ""})"});
    }
    const auto instruction = channel::deny_from(*object);
    if (!instruction) {
        return refusal(400, instruction.error());
    }
    std::size_t sent = 0;
    for (FirewallSession* session : sessions_) {
        if (session->greeted() && session->identity().name == firewall) {
            session->instruct(*instruction, asker.text());
            ++sent;
        }
    }
    if (sent == 0) {
        return refusal(404, Error{.attempt = "instruct firewall " + printable(firewall),
                                  .cause = "it is not connected here",
                                  .remedy = "stemctl firewall list shows those that are"});
    }
    audit_.done(asker.text(), fmt::format("deny {} for {} s at firewall {}", instruction->source.to_string(),
                                          instruction->lifetime.count(), firewall));
    return to_reply(json::object{{"firewall", firewall},
                                 {"source", instruction->source.to_string()},
                                 {"lifetime", instruction->lifetime.count()},
                                 {"sent", sent}},
                    202);
}

json::object Service::status() const {
    const double uptime = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    const auto& certificate = credentials_->certificate();
    const auto until = credentials_->trust().list_holds_until();
    return {{"version", STEM_VERSION},
            {"name", name_},
            {"pid", ::getpid()},
            {"uptime_seconds", uptime},
            {"certificate_not_after", sm::to_timestamp(certificate.not_after())},
            {"crl_next_update",
             until == pki::TimePoint::max() ? json::value() : json::value(sm::to_timestamp(until))},
            {"users", directory_->users().size()},
            {"thresholds_version", directory_->thresholds().version()},
            {"decisions", counts_.decisions},
            {"calls", admission_.calls().size()},
            {"audit",
             {{"file", trail_->settings().file.string()},
              {"written", trail_->counts().written},
              {"lost", trail_->counts().lost},
              {"failure", trail_->failure().empty() ? json::value() : json::value(trail_->failure())}}},
            {"firewalls", sessions_.size()},
            {"database", describe_store()}};
}

json::object Service::describe_store() const {
    const auto& store = directory_->store();
    json::object shown{{"name", store.name()},
                       {"shared", store.shared()},
                       {"connected", !store.lost()},
                       {"bindings_waiting", directory_->waiting()}};
    if (follower_ != nullptr) {
        shown["losses"] = follower_->counts().losses;
        shown["reopened"] = follower_->counts().reopened;
        shown["caught_up"] = follower_->counts().caught_up;
    }
    return shown;
}

json::object Service::firewalls() const {
    json::array list;
    for (const FirewallSession* session : sessions_) {
        list.push_back(session->describe());
    }
    return {{"firewalls", std::move(list)}};
}

std::string Service::metrics() const {
    return describe_metrics(
        {.counts = counts_,
         .refusals = refusals_,
         .admission = admission_.counts(),
         .audit = trail_->counts(),
         .calls = admission_.calls().size(),
         .authentication = authenticator_ == nullptr ? auth::Counts() : authenticator_->counts(),
         .firewalls = sessions_.size(),
         .uptime_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(),
         .store_connected = !directory_->store().lost(),
         .bindings_waiting = directory_->waiting(),
         .store = follower_ == nullptr ? sm::StoreFollower::Counts{} : follower_->counts()},
        name_);
}

void Service::decide(const pki::Identity& firewall, const sm::Query& query,
                     std::function<void(sm::Decision)> done) {
    ++counts_.decisions;
    const std::string who = firewall.text();
    const auto decide = [this, who](const sm::Query& asked, const auth::Authenticator::Done& told) {
        told(admission_.decide(asked, who));
    };
    if (authenticator_ == nullptr) {
        decide(query, done);
        return;
    }
    authenticator_->decide(query, decide, std::move(done),
                           [this, who](const sm::Query& asked, const sm::Decision& refusal) {
                               admission_.refused(asked, refusal, who);
                           });
}

// A terminal speaks for the user whose name its certificate bears; an administrator for anybody.
Service::Reply Service::announce(const pki::Identity& asker, const Request& request) {
    const bool administers = asker.role == pki::Role::admin;
    const auto address = Address::parse(request.address);
    auto reply = auth::handle_announcements(
        *directory_, authenticator_->announcements(),
        {.method = request.method,
         .target = request.target,
         .body = request.body,
         .user = administers ? std::string() : asker.name,
         .source = address && !administers ? std::optional(*address) : std::nullopt},
        now());
    if (request.method != "GET") {
        audit_.done(asker.text(), fmt::format("{} {} -> {}", request.method, request.target, reply.status));
    }
    auto out = to_reply(reply.json, reply.status);
    out.allow = std::move(reply.allow);
    return out;
}

channel::Ack Service::follow(const pki::Identity& firewall, const sm::Link::CallEvent& event) {
    ++counts_.calls;
    admission_.follow(event, firewall.text());
    return {.ok = true, .detail = "noted"};
}

void Service::review(const pki::Identity& firewall, const channel::Calls& calls) {
    admission_.review(calls.calls, calls.first, calls.last, firewall.text());
}

void Service::enter(FirewallSession& session) {
    sessions_.insert(&session);
}

void Service::greet(const FirewallSession& session) {
    admission_.came(session.identity().text());
}

// A firewall that has come again before its former connection was seen to end is still there.
void Service::leave(FirewallSession& session) {
    sessions_.erase(&session);
    const bool another = std::ranges::any_of(sessions_, [&](const FirewallSession* other) {
        return other->greeted() && other->identity().text() == session.identity().text();
    });
    if (session.greeted() && !another) {
        admission_.left(session.identity().text());
    }
}

channel::Ack Service::learn(const sm::Link::Binding& binding) {
    ++counts_.bindings;
    const auto learned = directory_->learn(binding, now());
    if (!learned) {
        spdlog::error("{}", learned.error().message());
        return {.ok = false, .detail = learned.error().message()};
    }
    switch (*learned) {
    case sm::Directory::Learned::stored:
        return {.ok = true, .detail = "stored"};
    case sm::Directory::Learned::removed:
        return {.ok = true, .detail = "removed"};
    case sm::Directory::Learned::unknown_user:
        break;
    }
    return {.ok = true, .detail = "unknown_user"};
}

channel::Ack Service::report(const pki::Identity& firewall, const sm::Link::StreamEnd& end) {
    ++counts_.reports;
    admission_.report(end, firewall.text());
    audit_.changed(firewall.text(),
                   fmt::format("ended the stream {} -> {} for {}{}; call {} of {} to {}",
                               end.source.to_string(), end.destination.to_string(), end.cause,
                               end.call_ended ? ", and its call" : "", end.call_id, end.caller, end.callee));
    return {.ok = true, .detail = "noted"};
}

channel::ThresholdsPush Service::thresholds_of(const std::string& firewall) const {
    channel::ThresholdsPush push{.version = directory_->thresholds().version()};
    for (const auto& threshold : directory_->thresholds().in_force(firewall)) {
        push.values.emplace(threshold.info->name, threshold.value);
    }
    return push;
}

void Service::push_thresholds() {
    for (FirewallSession* session : sessions_) {
        session->push_thresholds();
    }
}

std::shared_ptr<const ReadySnapshot> Service::snapshot() {
    const auto at = std::chrono::steady_clock::now();
    if (snapshot_ && at < snapshot_due_) {
        return snapshot_;
    }
    auto content = std::make_shared<const std::string>(sm::snapshot_of(*directory_, config_.sm.policy));
    auto head = channel::sign_snapshot(*content, now(), credentials_->key(), credentials_->certificate());
    if (!head) {
        spdlog::error("{}", head.error().message());
        return snapshot_;
    }
    auto ready = std::make_shared<ReadySnapshot>();
    ready->head = std::move(*head);
    ready->digest = pki::sha256(*content);
    // The same content keeps its place in memory.
    ready->content = snapshot_ && snapshot_->digest == ready->digest ? snapshot_->content : content;
    ready->parts = channel::parts_of(*ready->content);
    snapshot_ = std::move(ready);
    snapshot_due_ = at + config_.channel.snapshot;
    return snapshot_;
}

void Service::tick() {
    audit_.tick();
    admission_.tick();
    const auto sessions = sessions_; // one that closes leaves
    for (FirewallSession* session : sessions) {
        session->tick();
    }
    if (++seconds_ == seconds_per_minute) {
        seconds_ = 0;
        if (authenticator_ != nullptr) {
            authenticator_->expire();
        }
        if (const auto expired = directory_->expire(now()); !expired) {
            spdlog::error("{}", expired.error().message());
        }
    }
}

void Service::reload(const Config& config, std::shared_ptr<tls::Credentials> credentials) {
    config_ = settings::merge_live(schema(), config_, config);
    credentials_ = std::move(credentials);
    admission_.set_settings(config_.sm.policy);
    if (auto reopened = trail_->reopen(audit_settings(config_)); !reopened) {
        spdlog::error("the audit trail goes on as before: {}", reopened.error().message());
    }
    audit_.set_limit(config_.log.refusals_per_second);
    snapshot_due_ = {};
}

} // namespace stem::smd
