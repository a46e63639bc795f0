// SPDX-License-Identifier: Apache-2.0
// Responses: each must answer a request that went by, from where that request went.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr std::uint32_t default_registration_s = 3600; // where nobody says (RFC 3261 10.2.1.1 leaves it open)

bool is_provisional(int status) {
    return status < 200;
}
bool is_success(int status) {
    return status >= 200 && status < 300;
}

// RFC 3261 17.1.1.2 and 13.2.2.4, RFC 6026 7.2: what may follow the final response of a transaction.
// `acknowledged`: the dialog that a provisional response names is past its answer.
bool may_follow(const sip::Message& message, const Transaction& transaction, bool acknowledged) {
    const int before = transaction.final_status;
    if (before == 0) {
        return true;
    }
    if (is_provisional(message.status)) { // overtaken by its final response: harmless, as long as it is fresh
        return is_success(before) && message.status > 100 && !message.to_tag.empty() && !acknowledged;
    }
    if (is_success(message.status)) { // repeated; another fork's; or crossing a CANCEL
        return is_success(before) || transaction.cancelled;
    }
    return message.status == before;
}

} // namespace

void Monitor::Machine::on_response(Packet packet, const sip::Message& message) {
    const std::string key = Transactions::key_of(message, opposite(packet.direction));
    Transaction* transaction = transactions_.find(key);
    if (transaction == nullptr) {
        reject(std::move(packet), &message,
               {STEM_SIP_NO_TRANSACTION,
                fmt::format("{} {} answers no request seen", message.status, message.method_name)});
        return;
    }
    Call* call = transaction->call == 0 ? nullptr : call_of(transaction->call);
    if (auto objection = object_to(packet, message, *transaction, call); objection) {
        reject(std::move(packet), &message, *objection);
        return;
    }
    if (call != nullptr) {
        const Described session = describe(packet, message, call, other_party(transaction->party));
        if (session.sdp == Sdp::malformed) {
            reject(std::move(packet), &message, {STEM_SDP_MALFORMED, session.what});
            return;
        }
        follow_response(packet, message, *call, *transaction, session);
    } else if (transaction->method == sip::Method::register_ && is_success(message.status)) {
        learn_registration(packet, message, *transaction);
    }
    if (is_provisional(message.status)) {
        transaction->heard = true;
    } else {
        if (transaction->final_status == 0 || is_success(message.status)) {
            transaction->final_status = message.status;
        }
        transactions_.finish(key, now_ns_ + ns_of(settings_.linger));
    }
    release(std::move(packet), message, nullptr);
}

std::optional<Monitor::Machine::Objection> Monitor::Machine::object_to(const Packet& packet,
                                                                       const sip::Message& message,
                                                                       const Transaction& transaction,
                                                                       Call* call) {
    // RFC 3261 8.2.6.2: From and, inside a dialog, To are the request's.
    if (message.from_tag != transaction.from_tag ||
        (!transaction.to_tag.empty() && message.to_tag != transaction.to_tag)) {
        return Objection{STEM_SIP_NO_TRANSACTION, fmt::format("{} {} with other tags than its request",
                                                              message.status, message.method_name)};
    }
    if (!is_answerer(packet, transaction, call)) {
        return Objection{STEM_SIP_FLOW,
                         fmt::format("{} {} from {}, but its request went to {}", message.status,
                                     message.method_name, packet.source.to_string(),
                                     transaction.destination.to_string())};
    }
    if (call == nullptr) {
        return std::nullopt;
    }
    const Dialog* dialog = message.to_tag.empty() ? nullptr : call->dialog(message.to_tag);
    const bool acknowledged = dialog != nullptr && dialog->state >= STEM_DIALOG_UP;
    if (!may_follow(message, transaction, acknowledged)) {
        return Objection{STEM_SIP_STATE, fmt::format("{} {} after {}", message.status, message.method_name,
                                                     transaction.final_status)};
    }
    return std::nullopt;
}

void Monitor::Machine::follow_response(const Packet& packet, const sip::Message& message, Call& call,
                                       Transaction& transaction, const Described& session) {
    const bool first_invite = transaction.method == sip::Method::invite && transaction.callee_tag.empty();
    const stem_party answerer = other_party(transaction.party);
    if (session.sdp == Sdp::refused) { // the call goes on, and has no media here: its ends cannot be told
        egress_.count(STEM_MEDIA_ADDRESS, packet.direction);
        spdlog::warn("call {:x}: no pinhole: {}", call.id, session.what);
    }
    // 13.3.1.4: a 2xx is repeated until the ACK comes. What differs in it is no new answer, nor is what a
    // late provisional response says.
    const Dialog* spoken = call.dialog(message.to_tag);
    const bool repeated =
        first_invite ? spoken != nullptr && spoken->answered_ns != 0 : is_success(transaction.final_status);
    const bool too_late = first_invite && call.state == CallState::failed; // it failed, and was cancelled
    call.stream[answerer] = stream_of(packet);
    learn_leg(call, answerer, packet, message);
    if (first_invite) {
        tell_answer(call, message.status);
        on_first_invite_response(message, call, transaction);
    } else if (Dialog* dialog = call.dialog(transaction.callee_tag); dialog != nullptr) {
        on_dialog_response(message, call, *dialog, transaction);
    }
    // After the state, and before the message goes on: the pinholes are open when the answer arrives. Without
    // a To tag there is no dialog that could have any.
    const std::string& tag = transaction.party == STEM_CALLER ? message.to_tag : transaction.callee_tag;
    Dialog* dialog = tag.empty() ? nullptr : call.dialog(tag);
    if (dialog == nullptr || dialog->state == STEM_DIALOG_DEAD || message.status <= 100 ||
        message.status >= 300) {
        return;
    }
    const bool agreed = !repeated && !too_late && session.sdp == Sdp::usable &&
                        negotiate(message, call, *dialog, transaction, session.media);
    if (is_success(message.status) && !repeated) {
        refresh_session(message, call, *dialog);
    }
    if (!agreed && first_invite) {
        remember(call, *dialog);
    }
}

// RFC 3261 10.3: the 200 lists the bindings that are in force, and how long. We learn those that this
// REGISTER asked for: of the others we do not know where they came from.
void Monitor::Machine::learn_registration(const Packet& packet, const sip::Message& message,
                                          const Transaction& transaction) {
    for (const auto& asked : transaction.contacts) {
        if (asked.wildcard) {
            sm_.learn({.address_of_record = transaction.address_of_record,
                       .contact = "*",
                       .address = transaction.registrant,
                       .lifetime = std::chrono::seconds(0),
                       .all = true});
            remember_registration(transaction, 0);
            continue;
        }
        std::uint32_t lifetime = 0;
        std::optional<QValue> q = asked.q;
        const auto granted = std::ranges::find_if(message.contacts, [&](const sip::Contact& contact) {
            return sip::are_equivalent(contact.uri, asked.uri);
        });
        if (granted != message.contacts.end()) {
            lifetime = granted->expires.value_or(message.expires.value_or(
                asked.expires.value_or(transaction.expires.value_or(default_registration_s))));
            q = granted->q ? granted->q : q;
        }
        sm_.learn({.address_of_record = transaction.address_of_record,
                   .contact = asked.uri.text,
                   .address = transaction.registrant,
                   .lifetime = std::chrono::seconds(lifetime),
                   .q = q.value_or(QValue())});
        tell_registered(packet, transaction, asked, lifetime);
        remember_registration(transaction, lifetime);
    }
}

} // namespace stem::call
