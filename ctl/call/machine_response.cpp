// SPDX-License-Identifier: Apache-2.0
// Responses: each must answer a request that went by; what it means for the call follows from that request.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

// Called parties that one INVITE may reach before we stop opening media for more of them.
constexpr std::size_t max_forks = 16;
constexpr std::uint32_t default_registration_s = 3600; // where nobody says (RFC 3261 10.2.1.1 leaves it open)

bool is_provisional(int status) {
    return status < 200;
}
bool is_success(int status) {
    return status >= 200 && status < 300;
}
// May this tag have a dialog: one that is there, the first, or another fork?
bool has_room_for(Call& call, std::string_view tag) {
    return call.dialog(tag) != nullptr || call.dialog("") != nullptr || call.dialogs.size() < max_forks;
}
bool asks_for_credentials(int status) {
    return status == 401 || status == 407;
}

} // namespace

void Monitor::Machine::on_response(Packet packet, const sip::Message& message) {
    const stem_direction request_direction = opposite(packet.direction);
    const std::string key = Transactions::key_of(message, request_direction);
    Transaction* transaction = transactions_.find(key);
    if (transaction == nullptr) {
        egress_.drop(std::move(packet), STEM_SIP_NO_TRANSACTION,
                     fmt::format("{} {} answers no request seen", message.status, message.method_name));
        return;
    }
    Call* call = transaction->call == 0 ? nullptr : call_of(transaction->call);
    if (call != nullptr) {
        const bool first_invite =
            transaction->method == sip::Method::invite && transaction->callee_tag.empty();
        const Described session = describe(packet, message, call, other_party(transaction->party));
        if (session.sdp == Sdp::malformed) {
            egress_.drop(std::move(packet), STEM_SDP_MALFORMED, session.what);
            return;
        }
        // 13.3.1.4: a 2xx is repeated until the ACK comes. What differs in it is no new answer, nor is what a
        // late provisional response says.
        const Dialog* spoken = call->dialog(message.to_tag);
        const bool repeated =
            first_invite ? spoken != nullptr && spoken->answered_ns != 0 : transaction->answered;
        call->stream[other_party(transaction->party)] = stream_of(packet);
        if (first_invite) {
            tell_answer(*call, message.status);
            on_first_invite_response(packet, message, *call, *transaction);
        } else if (Dialog* dialog = call->dialog(transaction->callee_tag); dialog != nullptr) {
            on_dialog_response(message, *call, *dialog, *transaction);
        }
        // After the state, and before the message goes on: the pinholes are open when the answer arrives.
        Dialog* dialog =
            call->dialog(transaction->party == STEM_CALLER ? message.to_tag : transaction->callee_tag);
        if (session.sdp == Sdp::refused) {
            egress_.count(STEM_MEDIA_ADDRESS, packet.direction);
            spdlog::warn("call {:x}: no pinhole: {}", call->id, session.what);
        }
        bool agreed = false; // and so remembered
        if (dialog != nullptr && !repeated && session.sdp == Sdp::usable &&
            dialog->state != STEM_DIALOG_DEAD && message.status > 100 && message.status < 300) {
            if (transaction->offer) {
                agreed = true;
                agree(*call, *dialog, transaction->party, *transaction->offer, session.media);
            } else if (transaction->method == sip::Method::invite) {
                dialog->response_offer = {.by = other_party(transaction->party), .media = session.media};
            }
        }
        if (!first_invite && is_success(message.status)) {
            transaction->answered = true;
        }
        if (dialog != nullptr && first_invite && !agreed && message.status > 100 && message.status < 300) {
            remember(*call, *dialog);
        }
    } else if (transaction->method == sip::Method::register_ && is_success(message.status)) {
        learn_registration(packet, message, *transaction);
    }
    if (message.status >= 200) {
        transactions_.finish(key, now_ns_ + ns_of(settings_.linger));
    }
    release(std::move(packet), message, nullptr);
}

// The dialog that a To tag names; the one that was opened with the INVITE takes the first tag.
Dialog& Monitor::Machine::dialog_for(Call& call, const std::string& tag) {
    if (Dialog* there = call.dialog(tag); there != nullptr) {
        return *there;
    }
    if (Dialog* untagged = call.dialog(""); untagged != nullptr) {
        untagged->tag = tag;
        return *untagged;
    }
    Dialog fork{.id = ++next_id_, .tag = tag, .changed_ns = now_ns_};
    fork.cseq[STEM_CALLER] = call.cseq;
    call.dialogs.push_back(std::move(fork));
    return call.dialogs.back();
}

void Monitor::Machine::on_first_invite_response(const Packet& packet, const sip::Message& message, Call& call,
                                                Transaction& transaction) {
    if (call.state != CallState::going || transaction.cseq != call.cseq) {
        return;
    }
    call.signalling[STEM_CALLEE] = packet.source;
    if (is_provisional(message.status)) {
        call.ring_until_ns = now_ns_ + ns_of(settings_.ring_timeout);
        transaction.expires_ns = call.ring_until_ns + ns_of(settings_.linger);
        if (message.status > 100 && !message.to_tag.empty() && has_room_for(call, message.to_tag)) {
            Dialog& dialog = dialog_for(call, message.to_tag);
            if (dialog.state == STEM_DIALOG_CALLING) {
                dialog.state = STEM_DIALOG_EARLY;
            }
        }
        return;
    }
    if (is_success(message.status)) {
        if (message.to_tag.empty()) {
            return; // an answer without a dialog: the caller cannot use it either
        }
        if (!has_room_for(call, message.to_tag)) {
            return;
        }
        Dialog& dialog = dialog_for(call, message.to_tag);
        if (dialog.state == STEM_DIALOG_CALLING || dialog.state == STEM_DIALOG_EARLY) {
            dialog.state = STEM_DIALOG_ANSWERED;
            dialog.answered_ns = now_ns_;
            totals_.calls_answered++;
            learn_media(call, dialog); // it may have rung for long, and many phones send only now
            spdlog::info("call {:x} {} -> {}: answered", dialog.id, call.caller, call.callee);
            set_timer(settings_.linger, Alarm::unacknowledged, call.id, dialog.id);
            // Other branches may still answer for a while (13.2.2.4).
            set_timer(settings_.linger, Alarm::forks, call.id, 0);
        }
        return;
    }
    const bool answered = std::ranges::any_of(call.dialogs, [](const Dialog& dialog) {
        return dialog.state == STEM_DIALOG_ANSWERED || dialog.state == STEM_DIALOG_UP ||
               dialog.state == STEM_DIALOG_CLOSING;
    });
    if (answered) {
        return; // another branch's failure, after one said yes
    }
    call.failed_legs.insert(message.vias.front().branch);
    if (call.failed_legs.size() < call.legs.size()) {
        return; // another leg still rings
    }
    spdlog::info("call {:x} {} -> {}: failed with {}", call.id, call.caller, call.callee, message.status);
    call.state = CallState::failed;
    for (auto& dialog : call.dialogs) {
        end(call, dialog, now_ns_, {});
    }
    bury_when_over(call);
}

void Monitor::Machine::on_dialog_response(const sip::Message& message, Call& call, Dialog& dialog,
                                          Transaction& transaction) {
    if (is_provisional(message.status)) {
        return;
    }
    if (transaction.method == sip::Method::bye) {
        if (!asks_for_credentials(message.status)) {
            end(call, dialog, now_ns_ + ns_of(settings_.close_grace), "ended by BYE");
        } else if (dialog.state == STEM_DIALOG_CLOSING) { // the other side asks whose BYE that is
            dialog.state = dialog.answered_ns != 0 ? STEM_DIALOG_UP : STEM_DIALOG_EARLY;
            remember(call, dialog);
            set_timer(settings_.silence, Alarm::silence, call.id, dialog.id);
        }
        return;
    }
    if (transaction.method == sip::Method::invite && is_success(message.status)) {
        dialog.changed_ns = now_ns_;
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
            continue;
        }
        std::uint32_t lifetime = 0;
        const auto granted = std::ranges::find_if(message.contacts, [&](const sip::Contact& contact) {
            return sip::are_equivalent(contact.uri, asked.uri);
        });
        if (granted != message.contacts.end()) {
            lifetime = granted->expires.value_or(message.expires.value_or(
                asked.expires.value_or(transaction.expires.value_or(default_registration_s))));
        }
        sm_.learn({.address_of_record = transaction.address_of_record,
                   .contact = asked.uri.text,
                   .address = transaction.registrant,
                   .lifetime = std::chrono::seconds(lifetime)});
        tell_registered(packet, transaction, asked, lifetime);
    }
}

} // namespace stem::call
