// SPDX-License-Identifier: Apache-2.0
#include "sm/channel/channel.h"

#include <fmt/format.h>

namespace stem::channel {
namespace {

std::int64_t milliseconds_of(std::chrono::system_clock::time_point at) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

std::unexpected<Refused> refused(Refusal reason, std::string detail) {
    return std::unexpected(Refused{.reason = reason, .detail = std::move(detail), .close = closes(reason)});
}

} // namespace

std::string Channel::make(MessageType type, std::string_view id, const boost::json::object& body) {
    return encode(milliseconds_of(clock_()), ++sent_, id, type, body);
}

std::string Channel::fresh_id() {
    return fmt::format("{}{}", peer_ == Sender::firewall ? 's' : 'f', ++ids_);
}

std::expected<void, Refused> Channel::check(const Envelope& message) {
    const std::uint64_t next = received_ + 1;
    if (message.sequence < next) {
        return refused(Refusal::repeated, fmt::format("sequence {}, after {}", message.sequence, received_));
    }
    if (message.sequence > next) {
        return refused(Refusal::reordered,
                       fmt::format("sequence {} where {} is next", message.sequence, next));
    }
    received_ = message.sequence;
    const std::int64_t skew = settings_.skew.count();
    const std::int64_t age = milliseconds_of(clock_()) - message.time_ms;
    if (age > skew) {
        return refused(Refusal::stale, fmt::format("{} ms old; at most {}: do the clocks agree?", age, skew));
    }
    if (age < -skew) {
        return refused(Refusal::ahead,
                       fmt::format("{} ms ahead; at most {}: do the clocks agree?", -age, skew));
    }
    if (!message.type) {
        return refused(Refusal::unknown_type, "no such type");
    }
    if (!may_send(peer_, *message.type)) {
        return refused(Refusal::wrong_role, "not for its sender to send");
    }
    if (*message.type == MessageType::refused) {
        return {}; // may come ahead of hello: that may be what was refused
    }
    if ((*message.type == MessageType::hello) == greeted_) {
        return refused(Refusal::order, greeted_ ? "hello came before" : "hello must come first");
    }
    greeted_ = true;
    return {};
}

std::expected<Envelope, Refused> Channel::accept(std::string_view text) {
    auto message = decode(text, settings_.message_limit);
    if (!message) {
        return std::unexpected(count(std::move(message.error())));
    }
    if (auto checked = check(*message); !checked) {
        Refused why = std::move(checked.error());
        why.type = message->type_label;
        why.id = message->id;
        why.sequence = message->sequence;
        why.answer = message->type != MessageType::refused;
        why.in_time = why.reason != Refusal::stale && why.reason != Refusal::ahead;
        return std::unexpected(count(std::move(why)));
    }
    return std::move(*message);
}

Refused Channel::refuse(Refusal reason, std::string detail, const Envelope* message) {
    Refused why{.reason = reason, .detail = std::move(detail), .close = closes(reason)};
    if (message != nullptr) {
        why.type = message->type_label;
        why.id = message->id;
        why.sequence = message->sequence;
    }
    return count(std::move(why));
}

Refused Channel::count(Refused refused) {
    // Before hello nothing was agreed that could go on.
    refused.close = refused.close || !greeted_;
    ++counts_[static_cast<std::size_t>(refused.reason)];
    if (audit_) {
        audit_(refused);
    }
    return refused;
}

boost::json::object to_body(const Refused& refused) {
    return {{"reason", label_of(refused.reason)}, {"detail", refused.detail}};
}

} // namespace stem::channel
