// SPDX-License-Identifier: Apache-2.0
// CANCEL cannot be challenged (RFC 3261 22.1): it must name the INVITE exactly (9.1: request URI, Call-ID,
// To, From, CSeq number, branch), and come from where it came.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr int status_ok = 200;
constexpr int status_terminated = 487;

} // namespace

void Monitor::Machine::on_cancel(Packet packet, const sip::Message& message) {
    Place place = place_of(message, packet.direction);
    if (place.call != nullptr && place.party == STEM_CALLER && message.to_tag.empty() &&
        place.call->branch == message.vias.front().branch && place.call->cseq == message.cseq &&
        (place.call->state == CallState::held || place.call->state == CallState::refused ||
         place.call->state == CallState::ignored)) {
        const Call& call = *place.call;
        if (!stand_for_one(packet.source.address, call.leg[STEM_CALLER].source().address)) {
            reject(std::move(packet), &message, {STEM_SIP_FLOW, "CANCEL from elsewhere than its INVITE"});
            return;
        }
        if (message.request_uri.text != call.request_uri || sent_by_of(message) != call.sent_by) {
            reject(std::move(packet), &message,
                   {STEM_SIP_STATE, "CANCEL with another request URI or Via than the INVITE"});
            return;
        }
        cancel_held(std::move(packet), message, *place.call);
        return;
    }
    Transaction* invite = transactions_.find(Transactions::key_of_invite(message, packet.direction));
    if (invite == nullptr) {
        const bool named = place.call != nullptr;
        reject(std::move(packet), &message,
               {named ? STEM_SIP_STATE : STEM_SIP_NO_TRANSACTION, "CANCEL for no INVITE that is pending"});
        return;
    }
    if (!stand_for_one(packet.source.address, invite->source.address)) {
        const Objection objection{STEM_SIP_FLOW,
                                  fmt::format("CANCEL from {}, but the INVITE came from {}",
                                              packet.source.to_string(), invite->source.to_string())};
        reject(std::move(packet), &message, objection);
        return;
    }
    const bool other = // of an adopted call it is not known
        (!invite->request_uri.empty() && message.request_uri.text != invite->request_uri) ||
        (invite->imprint && sent_by_of(message) != invite->imprint->sent_by);
    if (other || message.from_tag != invite->from_tag || message.to_tag != invite->to_tag) {
        reject(std::move(packet), &message,
               {STEM_SIP_STATE, "CANCEL with another request URI, Via or tag than the INVITE"});
        return;
    }
    Call* call = invite->call == 0 ? nullptr : call_of(invite->call);
    if (call != nullptr && invite->callee_tag.empty()) {
        place = {.call = call, .dialog = nullptr, .party = STEM_CALLER};
        const bool acknowledged = std::ranges::any_of(call->dialogs, [](const Dialog& dialog) {
            return dialog.state == STEM_DIALOG_UP || dialog.state == STEM_DIALOG_CLOSING ||
                   (dialog.state == STEM_DIALOG_DEAD && dialog.answered_ns != 0);
        });
        if (acknowledged) {
            reject(std::move(packet), &message,
                   {STEM_SIP_STATE, "CANCEL of an INVITE whose answer has an ACK"});
            return;
        }
    }
    if (begin_transaction(packet, message, place) == nullptr) {
        reject(std::move(packet), &message, {STEM_CALL_LIMIT, "no room for another transaction"});
        return;
    }
    // Pinholes stay: a 200 may be crossing (9.1). The final response decides.
    transactions_.find(Transactions::key_of_invite(message, packet.direction))->cancelled = true;
    release(std::move(packet), message, call);
}

// We hold the INVITE, or have answered it: so we answer this, too (9.2).
void Monitor::Machine::cancel_held(Packet packet, const sip::Message& message, Call& call) {
    const auto answer = [&] {
        egress_.reply(packet, sip::make_response(packet.payload, message, status_ok,
                                                 sip::phrase_of(status_ok), call.own_tag()));
    };
    if (call.state == CallState::held) {
        answer();
        egress_.drop(std::move(packet), STEM_SIP_ANSWERED, "CANCEL of a held INVITE");
        refuse(call, status_terminated, {}, STEM_SIP_ANSWERED, "cancelled while held");
        return;
    }
    if (call.state == CallState::refused) {
        answer();
    }
    absorb(std::move(packet), "CANCEL of an INVITE that was refused");
}

} // namespace stem::call
