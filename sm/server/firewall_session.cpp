// SPDX-License-Identifier: Apache-2.0
#include "sm/server/firewall_session.h"

#include "sm/timestamp.h"

#include <boost/asio/buffer.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace stem::smd {
namespace {

namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;
using channel::MessageType;
using channel::Refusal;
using namespace std::chrono_literals;

constexpr std::size_t max_queued_octets = 4U * 1024U * 1024U;
constexpr std::size_t max_asked = 1024;
constexpr std::size_t part_of_message = 65536; // octets that are read at a time
constexpr auto closing_patience = 2s;
constexpr const char* snapshot_name = "a snapshot";

} // namespace

FirewallSession::FirewallSession(Stream stream, tls::Peer peer, std::string address, Service& service,
                                 std::shared_ptr<void> place)
    : socket_(std::move(stream)), peer_(std::move(peer)), address_(std::move(address)), service_(service),
      place_(std::move(place)),
      channel_(channel::Sender::firewall, {.skew = service.config().channel.skew}, &Service::now,
               service.refusals(),
               [this](const channel::Refused& refused) { service_.audit().refused(who(), refused); }),
      heard_(std::chrono::steady_clock::now()), since_(Service::now()) {
    service_.enter(*this);
}

FirewallSession::~FirewallSession() {
    service_.leave(*this);
}

std::string FirewallSession::who() const {
    return peer_.identity.text() + " at " + address_;
}

boost::json::object FirewallSession::describe() const {
    return {{"name", peer_.identity.name},
            {"address", address_},
            {"instance", hello_.name},
            {"software", hello_.software},
            {"since", sm::to_timestamp(since_)},
            {"serial", peer_.certificate.serial()},
            {"thresholds_version", thresholds_acknowledged_ < 0
                                       ? boost::json::value()
                                       : boost::json::value(thresholds_acknowledged_)},
            {"snapshots", hello_.snapshots},
            {"messages_received", channel_.received()},
            {"messages_sent", channel_.sent()}};
}

void FirewallSession::begin(const beast::http::request<beast::http::string_body>& upgrade) {
    beast::get_lowest_layer(socket_).expires_never();
    websocket::stream_base::timeout limits{};
    limits.handshake_timeout = service_.config().server.timeout;
    limits.idle_timeout = websocket::stream_base::none(); // tick() looks after it
    limits.keep_alive_pings = false;
    socket_.set_option(limits);
    socket_.read_message_max(0); // received() has the limit
    socket_.auto_fragment(false);
    ++service_.counts().channels;
    socket_.async_accept(upgrade, [self = shared_from_this()](error_code error) {
        if (error) {
            self->log_end(error);
            return;
        }
        spdlog::info("{}: control channel begun", self->who());
        self->read();
    });
}

// A part at a time: Beast's own limit closes TLS at once (1.81), and what the peer still has to say becomes
// an error that hides that the message was too long.
void FirewallSession::read() {
    socket_.async_read_some(
        buffer_, part_of_message,
        [self = shared_from_this()](error_code error, std::size_t /*octets*/) { self->received(error); });
}

void FirewallSession::received(error_code error) {
    if (error) {
        log_end(error);
        cut();
        return;
    }
    const bool too_long = buffer_.size() > channel::default_message_limit;
    if (!closing_ && !too_long && !socket_.is_message_done()) {
        read();
        return;
    }
    if (closing_) { // read on until the other side has closed, and act on nothing
        buffer_.consume(buffer_.size());
        read();
        return;
    }
    if (too_long) {
        refuse(channel_.refuse(Refusal::oversized,
                               fmt::format("more than {} octets", channel::default_message_limit)));
    } else if (!socket_.got_text()) {
        refuse(channel_.refuse(Refusal::malformed, "a binary frame"));
    } else {
        const auto data = buffer_.cdata();
        const std::string_view text(static_cast<const char*>(data.data()), data.size());
        const auto message = channel_.accept(text);
        // Whose clock is wrong is not there: after a while its connection ends.
        if (message || message.error().in_time) {
            heard_ = std::chrono::steady_clock::now();
        }
        if (message) {
            handle(*message);
        } else {
            refuse(message.error());
        }
    }
    buffer_.consume(buffer_.size());
    if (!over_) {
        read();
    }
}

// `read` gives the body, `act` does what it says.
#define STEM_TAKE(read, act)                                                                                 \
    if (const auto body = read(message.body)) {                                                              \
        act;                                                                                                 \
    } else {                                                                                                 \
        refuse(channel_.refuse(Refusal::body, body.error().message(), &message));                            \
    }

void FirewallSession::handle(const channel::Envelope& message) {
    switch (*message.type) {
    case MessageType::hello:
        return on_hello(message);
    case MessageType::query:
        STEM_TAKE(channel::query_from, decide(message.id, *body))
        return;
    case MessageType::learn:
        STEM_TAKE(channel::binding_from,
                  send(MessageType::ack, message.id, channel::to_body(service_.learn(*body))))
        return;
    case MessageType::report:
        STEM_TAKE(channel::stream_end_from, send(MessageType::ack, message.id,
                                                 channel::to_body(service_.report(peer_.identity, *body))))
        return;
    case MessageType::call:
        STEM_TAKE(channel::call_from, send(MessageType::ack, message.id,
                                           channel::to_body(service_.follow(peer_.identity, *body))))
        return;
    case MessageType::calls:
        STEM_TAKE(channel::calls_from, service_.review(peer_.identity, *body))
        return;
    case MessageType::ack:
        return on_ack(message);
    case MessageType::ping:
        STEM_TAKE(channel::nothing_from, send(MessageType::pong, message.id, {}))
        return;
    case MessageType::pong:
        return;
    case MessageType::refused:
        return on_refused(message);
    case MessageType::decision:
    case MessageType::thresholds:
    case MessageType::deny:
    case MessageType::snapshot:
    case MessageType::snapshot_part:
        return; // the channel has refused them: not for a firewall to send
    }
}
#undef STEM_TAKE

void FirewallSession::decide(const std::string& id, const sm::Query& query) {
    service_.decide(peer_.identity, query, [weak = weak_from_this(), id](const sm::Decision& decision) {
        if (const auto self = weak.lock(); self && !self->closing_ && !self->over_) {
            self->send(MessageType::decision, id, channel::to_body(decision));
        }
    });
}

void FirewallSession::on_hello(const channel::Envelope& message) {
    auto hello = channel::hello_from(message.body);
    if (!hello) {
        auto why = channel_.refuse(Refusal::body, hello.error().message(), &message);
        why.close = true;
        refuse(why);
        return;
    }
    hello_ = std::move(*hello);
    hello_.software = printable(hello_.software);
    hello_.name = printable(hello_.name);
    spdlog::info("{}: {}, instance {}", who(), hello_.software, hello_.name);
    service_.greet(*this);
    send(MessageType::hello, message.id,
         channel::to_body(
             channel::Hello{.software = fmt::format("stem-smd {}", STEM_VERSION), .name = service_.name()}));
    if (const auto push = service_.thresholds_of(peer_.identity.name);
        push.version != hello_.thresholds_version) {
        push_thresholds();
    } else {
        thresholds_acknowledged_ = push.version;
    }
    offer_snapshot();
}

void FirewallSession::on_ack(const channel::Envelope& message) {
    const auto ack = channel::ack_from(message.body);
    if (!ack) {
        refuse(channel_.refuse(Refusal::body, ack.error().message(), &message));
        return;
    }
    const auto asked = asked_.find(message.id);
    if (asked == asked_.end()) {
        refuse(channel_.refuse(Refusal::unasked, "no such thing was sent", &message));
        return;
    }
    if (asked->second.what == snapshot_name) {
        content_taken_ = ack->ok;
    }
    if (ack->ok) {
        spdlog::debug("{}: {}: {}", who(), asked->second.what, printable(ack->detail));
        thresholds_acknowledged_ = asked->second.thresholds.value_or(thresholds_acknowledged_);
    } else {
        spdlog::error("{} could not take over {}: {}", who(), asked->second.what, printable(ack->detail));
    }
    asked_.erase(asked);
}

void FirewallSession::on_refused(const channel::Envelope& message) {
    if (const auto body = channel::refused_from(message.body)) {
        auto asked = asked_.extract(message.id);
        if (asked && (body->reason == label_of(Refusal::stale) || body->reason == label_of(Refusal::ahead))) {
            again_.push_back(std::move(asked.mapped()));
        }
        spdlog::warn("{} refused message {}: {}: {}", who(), message.id, printable(body->reason),
                     printable(body->detail));
    } else { // not answered by another: two sides would refuse each other's words for ever
        static_cast<void>(channel_.refuse(Refusal::body, body.error().message(), &message));
    }
}

void FirewallSession::push_thresholds() {
    if (!greeted() || closing_) {
        return;
    }
    const auto push = service_.thresholds_of(peer_.identity.name);
    const std::string id = channel_.fresh_id();
    asked_[id] = {.what = fmt::format("thresholds version {}", push.version), .thresholds = push.version};
    send(MessageType::thresholds, id, channel::to_body(push));
}

void FirewallSession::instruct(const channel::DenyInstruction& instruction, const std::string& who) {
    tell({.what = fmt::format("deny {} (by {})", instruction.source.to_string(), who), .deny = instruction});
}

void FirewallSession::tell(Asked asked) {
    const std::string id = channel_.fresh_id();
    const auto body = channel::to_body(*asked.deny);
    asked_[id] = std::move(asked);
    send(MessageType::deny, id, body);
}

// What comes too late is refused (docs/control-channel.md), and is no less true a moment later. Where the
// clocks are apart nothing gets through, and the connection ends.
void FirewallSession::tell_again() {
    for (Asked& asked : std::exchange(again_, {})) {
        if (asked.deny) {
            tell(std::move(asked));
        } else if (asked.thresholds) {
            push_thresholds();
        } else {
            snapshot_.reset(); // offered anew
        }
    }
}

void FirewallSession::send(MessageType type, std::string_view id, const boost::json::object& body) {
    if (closing_ || over_) {
        return;
    }
    queue_.push_back(channel_.make(type, id, body));
    queued_octets_ += queue_.back().size();
    if (queued_octets_ > max_queued_octets || asked_.size() > max_asked) {
        static_cast<void>(
            channel_.refuse(Refusal::slow_reader, fmt::format("{} octets wait for it", queued_octets_)));
        cut();
        return;
    }
    write();
}

void FirewallSession::refuse(const channel::Refused& refused) {
    if (refused.answer) {
        send(MessageType::refused, refused.id.empty() ? "-" : refused.id, channel::to_body(refused));
    }
    if (refused.close) {
        closing_ = true;
        closing_since_ = std::chrono::steady_clock::now();
        write();
    }
}

void FirewallSession::write() {
    if (writing_ || over_) {
        return;
    }
    if (queue_.empty()) {
        if (closing_) {
            close();
        } else {
            send_next_part();
        }
        return;
    }
    writing_ = true;
    socket_.text(true);
    socket_.async_write(
        boost::asio::buffer(queue_.front()),
        [self = shared_from_this()](error_code error, std::size_t /*octets*/) { self->written(error); });
}

void FirewallSession::written(error_code error) {
    writing_ = false;
    if (error) {
        log_end(error);
        cut();
        return;
    }
    queued_octets_ -= queue_.front().size();
    queue_.pop_front();
    write();
}

void FirewallSession::close() {
    writing_ = true; // nothing is written beside it
    socket_.async_close(websocket::close_reason(websocket::close_code::policy_error, "refused"),
                        [self = shared_from_this()](error_code /*error*/) { self->cut(); });
}

void FirewallSession::cut() {
    over_ = true;
    error_code ignored;
    beast::get_lowest_layer(socket_).socket().close(ignored);
}

void FirewallSession::log_end(error_code error) {
    if (over_) {
        return;
    }
    spdlog::info("{}: control channel over: {}", who(), error.message());
}

void FirewallSession::tick() {
    const auto now = std::chrono::steady_clock::now();
    if (closing_ && now - closing_since_ > closing_patience) {
        cut();
        return;
    }
    if (now - heard_ > service_.config().channel.idle) {
        spdlog::warn("{}: nothing came for {} ms: control channel closed", who(),
                     service_.config().channel.idle.count());
        cut();
        return;
    }
    tell_again();
    offer_snapshot();
}

// Begins to send the newest snapshot, if the firewall wants it and does not have it.
void FirewallSession::offer_snapshot() {
    if (!greeted() || !hello_.snapshots || closing_ || !snapshot_id_.empty()) {
        return;
    }
    const auto newest = service_.snapshot();
    if (!newest || newest == snapshot_) {
        return;
    }
    const bool has_content = content_taken_ && snapshot_ && snapshot_->digest == newest->digest;
    snapshot_ = newest;
    auto head = newest->head;
    head.parts = has_content ? 0 : static_cast<std::int64_t>(newest->parts.size());
    const std::string id = channel_.fresh_id();
    asked_[id] = {.what = snapshot_name};
    content_taken_ = false; // until it says so
    send(MessageType::snapshot, id, channel::to_body(head));
    if (!has_content) {
        snapshot_id_ = id;
        snapshot_part_ = 0;
        write();
    }
}

void FirewallSession::send_next_part() {
    if (snapshot_id_.empty()) {
        return;
    }
    const channel::SnapshotPart part{.index = static_cast<std::int64_t>(snapshot_part_),
                                     .data = std::string(snapshot_->parts[snapshot_part_])};
    const std::string id = snapshot_id_;
    if (++snapshot_part_ == snapshot_->parts.size()) {
        snapshot_id_.clear();
    }
    send(MessageType::snapshot_part, id, channel::to_body(part));
}

} // namespace stem::smd
