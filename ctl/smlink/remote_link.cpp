// SPDX-License-Identifier: Apache-2.0
#include "ctl/smlink/remote_link.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace stem::smlink {
namespace {

using namespace std::chrono_literals;
using boost::system::error_code;
using channel::MessageType;
using channel::Refusal;

constexpr auto tick_interval = 50ms;
constexpr int ticks_per_second = 20;
constexpr auto ping_interval = 2s;
constexpr auto lasting = 2s; // so long is a connection of use
constexpr int status_unavailable = 503;

std::chrono::system_clock::time_point now() {
    return std::chrono::system_clock::now();
}

} // namespace

RemoteLink::RemoteLink(boost::asio::io_context& loop, Settings settings,
                       std::shared_ptr<tls::Credentials> credentials, Instructed instructed)
    : loop_(loop), settings_(std::move(settings)), credentials_(std::move(credentials)),
      instructed_(std::move(instructed)), watch_(settings_.files.crl), retry_(loop), tick_(loop),
      backoff_(settings_.reconnect_min, settings_.reconnect_max), random_(std::random_device{}()),
      snapshot_(settings_.on_loss == OnLoss::cache ? settings_.cache : std::filesystem::path(),
                settings_.cache_max_age, settings_.skew),
      since_(now()) {
    if (settings_.on_loss == OnLoss::cache) {
        if (const auto loaded = snapshot_.load(credentials_->trust(), now()); !loaded) {
            spdlog::warn("the stored snapshot is of no use: {}", loaded.error().message());
        }
    }
    connect();
    wait_for_tick();
}

RemoteLink::~RemoteLink() = default;

void RemoteLink::connect() {
    const std::string& server = settings_.servers[server_];
    spdlog::debug("Security Manager {}: connecting", server);
    SessionOwner& owner = *this;
    session_ = std::make_unique<Session>(loop_, settings_, credentials_, refusals_, owner);
    session_->connect(server, {.software = settings_.software,
                               .name = settings_.name,
                               // Another may count from elsewhere.
                               .thresholds_version = server_ == thresholds_from_ ? thresholds_version_ : -1,
                               .snapshots = settings_.on_loss == OnLoss::cache});
}

// The other servers first, at once; when none of them answers there is a pause.
void RemoteLink::connect_later() {
    server_ = (server_ + 1) % settings_.servers.size();
    const bool all_tried = ++tried_ >= settings_.servers.size();
    if (all_tried) {
        tried_ = 0;
    }
    const auto pause = all_tried ? backoff_.next(std::uniform_real_distribution<>(0, 1)(random_))
                                 : std::chrono::milliseconds(0);
    retry_.expires_after(pause);
    retry_.async_wait([this](error_code error) {
        if (!error) {
            connect();
        }
    });
}

void RemoteLink::on_ready(const channel::Hello& hello) {
    ++counts_.connects;
    tried_ = 0;
    ready_ = Steady::now();
    manager_ = session_->peer() == nullptr ? hello.name : session_->peer()->identity.name;
    since_ = now();
    pinged_ = Steady::now();
    spdlog::info("Security Manager {} at {}: connected ({}); {} queries wait, {} bindings and reports go out",
                 manager_, settings_.servers[server_], hello.software, waiting_.size(), outbox_.size());
    // The bindings first: the decisions may depend on them.
    const auto kept = outbox_.tickets();
    backlog_.assign(kept.begin(), kept.end());
    post_backlog();
    post_calls();
    for (auto& [key, waiting] : waiting_) {
        ask(waiting);
        by_id_[waiting.id] = key;
    }
}

void RemoteLink::on_end(const std::string& why) {
    const bool was = !manager_.empty();
    ++(was ? counts_.losses : counts_.connect_failures);
    if (was) {
        since_ = now();
        // Else one that ends each connection would be asked anew at once, for ever.
        if (Steady::now() - ready_ >= lasting) {
            backoff_.reset();
        }
        spdlog::warn("Security Manager {} at {}: lost: {}; calls in progress go on, new ones {}", manager_,
                     settings_.servers[server_], why,
                     settings_.on_loss == OnLoss::cache && snapshot_.usable(now())
                         ? "are decided by its snapshot"
                         : fmt::format("wait up to {} ms", settings_.hold.count()));
    } else if (why != failure_) { // once for each cause
        spdlog::warn("Security Manager at {}: {}", settings_.servers[server_], why);
    }
    failure_ = why;
    manager_.clear();
    session_.reset();
    by_id_.clear();
    posted_.clear();
    posted_calls_.clear();
    calls_due_ = false;
    backlog_.clear();
    failed_snapshot_.clear();
    snapshot_.give_up();
    std::vector<std::uint64_t> keys;
    for (auto& [key, waiting] : waiting_) {
        waiting.repeated = waiting.repeated || !waiting.id.empty();
        waiting.id.clear();
        keys.push_back(key);
    }
    for (const auto key : keys) {
        static_cast<void>(settle_by_snapshot(key));
    }
    connect_later();
}

void RemoteLink::ask(Waiting& waiting) {
    waiting.id = session_->fresh_id();
    waiting.asked = Steady::now();
    counts_.repeated += waiting.repeated ? 1U : 0U;
    session_->send(MessageType::query, waiting.id, channel::to_body(waiting.query));
}

void RemoteLink::decide(const sm::Query& query, std::function<void(sm::Decision)> done) {
    ++counts_.queries;
    const auto key = ++next_key_;
    auto& waiting = waiting_[key];
    waiting = {.query = query, .done = std::move(done), .deadline = Steady::now() + settings_.hold};
    if (connected()) {
        ask(waiting);
        by_id_[waiting.id] = key;
        return;
    }
    static_cast<void>(settle_by_snapshot(key));
}

void RemoteLink::settle(std::uint64_t key, sm::Decision decision) {
    const auto found = waiting_.find(key);
    auto done = std::move(found->second.done);
    by_id_.erase(found->second.id);
    waiting_.erase(found);
    done(std::move(decision));
}

bool RemoteLink::settle_by_snapshot(std::uint64_t key) {
    if (settings_.on_loss != OnLoss::cache) {
        return false;
    }
    auto decision = snapshot_.decide(waiting_.at(key).query, now());
    if (!decision) {
        return false;
    }
    ++counts_.by_snapshot;
    settle(key, std::move(*decision));
    return true;
}

void RemoteLink::settle_unavailable(std::uint64_t key, const std::string& why) {
    ++counts_.unavailable;
    settle(key, {.action = sm::Reject{.status = status_unavailable, .retry_after = settings_.retry_after},
                 .user = {},
                 .why = why + " -> reject 503"});
}

void RemoteLink::learn(const Binding& binding) {
    const auto ticket = outbox_.add(binding, Steady::now());
    if (connected()) {
        post_later(ticket);
    } else if (settings_.on_loss == OnLoss::cache) {
        snapshot_.learn(binding, now());
    }
}

void RemoteLink::report(const StreamEnd& end) {
    const auto ticket = outbox_.add(end);
    if (connected()) {
        post_later(ticket);
    }
}

void RemoteLink::follow(const CallEvent& event) {
    if (event.state == CallEvent::State::ended) {
        calls_.erase(event.call);
        const auto ticket = outbox_.add(event);
        if (connected()) {
            post_later(ticket);
        }
        return;
    }
    calls_.insert_or_assign(event.call, event);
    if (connected()) {
        const std::string id = session_->fresh_id();
        posted_[id] = 0;
        session_->send(MessageType::call, id, channel::to_body(event));
    }
}

void RemoteLink::post_calls() {
    channel::Calls part{.first = true};
    std::size_t octets = 0;
    const auto send = [&] {
        const auto id = session_->fresh_id();
        posted_calls_.insert(id);
        session_->send(MessageType::calls, id, channel::to_body(part));
        part = {};
        octets = 0;
    };
    for (const auto& [name, event] : calls_) {
        const std::size_t size = channel::size_in_calls(event);
        if (part.calls.size() == channel::most_calls || octets + size > channel::calls_limit) {
            send();
        }
        octets += size;
        part.calls.push_back(event);
    }
    part.last = true;
    send();
}

// In the order in which they came.
void RemoteLink::post_later(Outbox::Ticket ticket) {
    backlog_.push_back(ticket);
    post_backlog();
}

void RemoteLink::post_backlog() {
    while (!backlog_.empty() && posted_.size() < most_posted) {
        const auto ticket = backlog_.front();
        backlog_.pop_front();
        post(ticket);
    }
}

void RemoteLink::post(Outbox::Ticket ticket) {
    const auto item = outbox_.item(ticket, Steady::now());
    if (!item) {
        outbox_.done(ticket);
        return;
    }
    const std::string id = session_->fresh_id();
    posted_[id] = ticket;
    if (const auto* binding = std::get_if<Binding>(&*item)) {
        session_->send(MessageType::learn, id, channel::to_body(*binding));
    } else if (const auto* event = std::get_if<CallEvent>(&*item)) {
        session_->send(MessageType::call, id, channel::to_body(*event));
    } else {
        session_->send(MessageType::report, id, channel::to_body(std::get<StreamEnd>(*item)));
    }
}

void RemoteLink::on_message(const channel::Envelope& message) {
    switch (*message.type) {
    case MessageType::decision:
        return on_decision(message);
    case MessageType::ack:
        return on_ack(message);
    case MessageType::thresholds:
        return on_thresholds(message);
    case MessageType::deny:
        return on_deny(message);
    case MessageType::snapshot:
        return on_snapshot(message);
    case MessageType::snapshot_part:
        return on_snapshot_part(message);
    case MessageType::ping:
        session_->send(MessageType::pong, message.id, {});
        return;
    case MessageType::refused:
        return on_refused(message);
    case MessageType::pong:
    case MessageType::hello: // the session's
    case MessageType::query:
    case MessageType::learn:
    case MessageType::report:
    case MessageType::call:
    case MessageType::calls: // the channel has refused them: not for a Security Manager to send
        return;
    }
}

void RemoteLink::on_decision(const channel::Envelope& message) {
    const auto asked = by_id_.find(message.id);
    if (asked == by_id_.end()) {
        session_->refuse(Refusal::unasked, "no query of that id waits", message);
        return;
    }
    auto decision = channel::decision_from(message.body);
    if (!decision) {
        session_->refuse(Refusal::body, decision.error().message(), message);
        return; // the query waits on, until its time is up
    }
    ++counts_.answered;
    settle(asked->second, std::move(*decision));
}

void RemoteLink::on_refused(const channel::Envelope& message) {
    const auto body = channel::refused_from(message.body);
    if (!body) {
        return;
    }
    spdlog::warn("Security Manager {} refused message {}: {}: {}", manager_, message.id, body->reason,
                 body->detail);
    if (posted_calls_.contains(message.id)) { // the rest would say that its calls are over
        session_->end("it has refused a part of the calls in progress");
        return;
    }
    // It was underway for too long, as when one of us had something else to do. A moment later it is told
    // again: what is wrong with the clock ends the connection before.
    const bool late = body->reason == label_of(Refusal::stale) || body->reason == label_of(Refusal::ahead);
    if (const auto posted = posted_.find(message.id); posted != posted_.end()) {
        if (late && posted->second == 0) {
            calls_due_ = true;
        } else if (late) {
            backlog_.push_back(posted->second);
        } else {
            ++counts_.not_taken;
            outbox_.done(posted->second);
        }
        posted_.erase(posted);
        return;
    }
    if (const auto asked = by_id_.find(message.id); asked != by_id_.end()) {
        if (auto& waiting = waiting_.at(asked->second); late) {
            waiting.id.clear();
            waiting.repeated = true;
            by_id_.erase(asked);
            return;
        }
        ++counts_.refused;
        // Not by the snapshot: it is for want of a Security Manager, and knows nothing of limits.
        settle_unavailable(asked->second, fmt::format("Security Manager {} has refused the query: {}",
                                                      manager_, body->detail));
    }
}

void RemoteLink::on_ack(const channel::Envelope& message) {
    const auto ack = channel::ack_from(message.body);
    if (!ack) {
        session_->refuse(Refusal::body, ack.error().message(), message);
        return;
    }
    const auto posted = posted_.find(message.id);
    if (posted == posted_.end()) {
        session_->refuse(Refusal::unasked, "nothing of that id waits", message);
        return;
    }
    ++(ack->ok ? counts_.acknowledged : counts_.not_taken);
    if (!ack->ok) {
        spdlog::warn("Security Manager {} could not take in what was learned: {}", manager_, ack->detail);
    }
    outbox_.done(posted->second);
    posted_.erase(posted);
    post_backlog();
}

void RemoteLink::acknowledge(const channel::Envelope& message, const Result<>& done) {
    if (!done) {
        spdlog::error("{} of the Security Manager not carried out: {}", message.type_label,
                      done.error().message());
    }
    session_->send(MessageType::ack, message.id,
                   channel::to_body(channel::Ack{.ok = done.has_value(),
                                                 .detail = done ? "done" : done.error().message()}));
}

void RemoteLink::on_thresholds(const channel::Envelope& message) {
    const auto push = channel::thresholds_from(message.body);
    if (!push) {
        session_->refuse(Refusal::body, push.error().message(), message);
        return;
    }
    const auto done = instructed_.thresholds(*push);
    if (done) {
        thresholds_version_ = push->version;
        thresholds_from_ = server_;
    }
    acknowledge(message, done);
}

void RemoteLink::on_deny(const channel::Envelope& message) {
    const auto instruction = channel::deny_from(message.body);
    if (!instruction) {
        session_->refuse(Refusal::body, instruction.error().message(), message);
        return;
    }
    const auto done = instructed_.deny(*instruction);
    counts_.denials += done ? 1U : 0U;
    acknowledge(message, done);
}

void RemoteLink::on_snapshot(const channel::Envelope& message) {
    const auto head = channel::snapshot_from(message.body);
    if (!head) {
        session_->refuse(Refusal::body, head.error().message(), message);
        return;
    }
    end_snapshot(message, snapshot_.begin(*head, credentials_->trust(), now()));
}

void RemoteLink::on_snapshot_part(const channel::Envelope& message) {
    const auto part = channel::snapshot_part_from(message.body);
    if (!part) {
        session_->refuse(Refusal::body, part.error().message(), message);
        return;
    }
    end_snapshot(message, snapshot_.add(*part, credentials_->trust(), now()));
}

void RemoteLink::end_snapshot(const channel::Envelope& message, const Result<bool>& taken) {
    if (taken && !*taken) {
        return; // more is to come
    }
    if (!taken) {
        if (message.id == failed_snapshot_) {
            return; // told already, at an earlier part
        }
        failed_snapshot_ = message.id;
    }
    ++(taken ? counts_.snapshots : counts_.snapshots_refused);
    acknowledge(message, taken ? Result<>() : std::unexpected(taken.error()));
}

void RemoteLink::set_credentials(std::shared_ptr<tls::Credentials> credentials) {
    credentials_ = std::move(credentials);
    watch_ = tls::FileWatch(settings_.files.crl);
    snapshot_.judge_again(credentials_->trust(), now());
    if (!session_) {
        return;
    }
    const auto* peer = session_->peer();
    if (peer == nullptr) { // its handshake would be judged by what was in force as it began
        session_->end("certificates or the revocation list have changed");
        return;
    }
    if (const auto believed = credentials_->trust().verify(peer->certificate, pki::Purpose::server);
        !believed) {
        session_->end(believed.error().message());
    }
}

void RemoteLink::look_at_list() {
    if (!watch_.changed()) {
        return;
    }
    auto fresh = tls::Credentials::load(settings_.files, tls::End::client);
    if (!fresh) {
        spdlog::error("revocation list not taken over: {}", fresh.error().message());
        return;
    }
    spdlog::info("revocation list {} has changed and is in force", settings_.files.crl.string());
    set_credentials(std::move(*fresh));
}

void RemoteLink::wait_for_tick() {
    tick_.expires_after(tick_interval);
    tick_.async_wait([this](error_code error) {
        if (!error) {
            tick();
            wait_for_tick();
        }
    });
}

void RemoteLink::tick() {
    const auto at = Steady::now();
    if (++ticks_ == ticks_per_second) {
        ticks_ = 0;
        look_at_list();
        const auto* peer = session_ ? session_->peer() : nullptr;
        if (peer != nullptr && peer->certificate.not_after() <= now()) {
            session_->end("its certificate has run out");
        }
    }
    if (connected()) {
        if (at - pinged_ >= ping_interval) {
            pinged_ = at;
            session_->send(MessageType::ping, session_->fresh_id(), {});
        }
        if (at - session_->heard() > 2 * ping_interval) {
            session_->end("nothing came from it");
        }
        post_backlog();
        if (std::exchange(calls_due_, false)) {
            post_calls();
        }
        for (auto& [key, waiting] : waiting_) {
            if (waiting.id.empty()) {
                ask(waiting);
                by_id_[waiting.id] = key;
            }
            if (at - waiting.asked > settings_.query_timeout) {
                ++counts_.timeouts;
                session_->end(
                    fmt::format("a query was not answered within {} ms", settings_.query_timeout.count()));
                break;
            }
        }
    }
    while (!waiting_.empty() && waiting_.begin()->second.deadline <= at) {
        const auto key = waiting_.begin()->first;
        if (!settle_by_snapshot(key)) {
            settle_unavailable(
                key, fmt::format("no Security Manager has answered within {} ms", settings_.hold.count()));
        }
    }
}

Status RemoteLink::status() const {
    return {.connected = connected(),
            .server = settings_.servers[server_],
            .manager = manager_,
            .failure = failure_,
            .since = since_,
            .thresholds_version = thresholds_version_,
            .waiting = waiting_.size(),
            .outbox = outbox_.size(),
            .outbox_lost = outbox_.lost(),
            .snapshot = snapshot_.created(),
            .snapshot_usable = snapshot_.usable(now())};
}

} // namespace stem::smlink
