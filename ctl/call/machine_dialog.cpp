// SPDX-License-Identifier: Apache-2.0
// Requests inside a call: BYE, re-INVITE, UPDATE, PRACK and the rest.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr std::size_t offers_kept = 8; // transactions of one dialog that carry offers

// Methods whose dialogs (subscriptions, RFC 6665) are not followed: they pass without one that is known.
bool passes_without_dialog(sip::Method method) {
    switch (method) {
    case sip::Method::invite:
    case sip::Method::bye:
    case sip::Method::prack:
    case sip::Method::update:
    case sip::Method::info:
        return false;
    default:
        return true;
    }
}

// May a dialog in `state` have this request from `party`? docs/calls.md has the table. What comes to a dialog
// that is over passes: the host behind us answers 481.
bool allowed(sip::Method method, stem_dialog_state state, stem_party party) {
    switch (method) {
    case sip::Method::invite: // before the ACK a host answers 491 or 500 (RFC 3261 14.1, 14.2)
        return state == STEM_DIALOG_UP || state == STEM_DIALOG_DEAD;
    case sip::Method::bye: // the callee has to wait for the ACK (15); a lost one must not keep the call alive
        return state == STEM_DIALOG_EARLY ? party == STEM_CALLER : state != STEM_DIALOG_CALLING;
    case sip::Method::prack:
    case sip::Method::update:
        return state == STEM_DIALOG_EARLY || state == STEM_DIALOG_ANSWERED || state == STEM_DIALOG_UP;
    case sip::Method::info:
    case sip::Method::refer:
    case sip::Method::message:
        return state != STEM_DIALOG_CALLING && state != STEM_DIALOG_CLOSING;
    default: // NOTIFY too: a subscription outlives the call (RFC 5057 4.1)
        return state != STEM_DIALOG_CALLING;
    }
}

} // namespace

// RFC 3261 12.2.2: a side's requests have rising CSeq numbers; gaps are legal.
bool Monitor::Machine::follows(const Dialog& dialog, stem_party party, std::uint32_t cseq) const {
    return dialog.cseq[party] == 0 || cseq > dialog.cseq[party] ||
           (dialog.may_repeat[party] && cseq == dialog.cseq[party]);
}

bool Monitor::Machine::is_pending(const std::string& transaction_key) {
    const Transaction* transaction = transaction_key.empty() ? nullptr : transactions_.find(transaction_key);
    return transaction != nullptr && transaction->final_status == 0;
}

// The ACK may go another way than we see. A caller who sends on, in the dialog or media, has the answer.
void Monitor::Machine::presume_acknowledged(const Call& call, Dialog& dialog) {
    if (dialog.state != STEM_DIALOG_ANSWERED ||
        pinholes_.last_seen_ns(dialog.id, call.direction) <= dialog.answered_ns) {
        return;
    }
    dialog.state = STEM_DIALOG_UP;
    remember(call, dialog);
    watch_silence(call, dialog, settings_.silence);
    tell_up(call, dialog);
}

void Monitor::Machine::on_request_of_no_dialog(Packet packet, const sip::Message& message, const Call* call) {
    const bool begins =
        call != nullptr && (call->state == CallState::held || call->state == CallState::going);
    if ((begins || !passes_without_dialog(message.method)) && !is_of_cut_dialog(message)) {
        reject(std::move(packet), &message,
               {STEM_SIP_NO_DIALOG, message.method_name + " for no dialog that is known"});
        return;
    }
    if (begin_outside(packet, message) != nullptr) {
        release(std::move(packet), message, nullptr);
    }
}

// What the request itself and its dialog's state have against it.
std::optional<Monitor::Machine::Objection>
Monitor::Machine::object_to(const sip::Message& message, const Dialog& dialog, stem_party party) {
    if (!allowed(message.method, dialog.state, party)) {
        return Objection{STEM_SIP_STATE, message.method_name + " where the call's state does not allow it"};
    }
    if (!follows(dialog, party, message.cseq)) {
        return Objection{STEM_SIP_CSEQ, fmt::format("CSeq {} after {}", message.cseq, dialog.cseq[party])};
    }
    if (message.method == sip::Method::invite && is_pending(dialog.pending_invite[party])) { // RFC 3261 14.1
        return Objection{STEM_SIP_STATE, "INVITE while the same side's last one is not answered"};
    }
    if (message.method == sip::Method::prack) { // RFC 3262 3
        const auto& rack = message.rack;
        const bool acknowledges =
            rack && rack->method == "INVITE" &&
            (dialog.adopted || std::ranges::any_of(dialog.reliable, [&](const Reliable& response) {
                 return response.rseq == rack->rseq && response.cseq == rack->cseq && response.asker == party;
             }));
        if (!acknowledges) {
            return Objection{STEM_SIP_STATE, "PRACK whose RAck acknowledges no response that was sent"};
        }
    }
    return std::nullopt;
}

void Monitor::Machine::on_inside_request(Packet packet, const sip::Message& message) {
    const Place place = place_of(message, packet.direction);
    if (place.call == nullptr || place.dialog == nullptr || place.call->state == CallState::held) {
        on_request_of_no_dialog(std::move(packet), message, place.call);
        return;
    }
    Call& call = *place.call;
    Dialog& dialog = *place.dialog;
    const Origin origin = origin_of(call, place.party, packet.source);
    if (Transaction* first = transactions_.find(Transactions::key_of(message, packet.direction));
        first != nullptr && (origin != Origin::stranger || first->source == packet.source)) {
        on_repetition(std::move(packet), message, *first, &call);
        return;
    }
    if (place.party == STEM_CALLER && origin != Origin::stranger) {
        presume_acknowledged(call, dialog);
    }
    if (auto objection = object_to(message, dialog, place.party); objection) {
        reject(std::move(packet), &message, *objection);
        return;
    }
    const bool living = dialog.state != STEM_DIALOG_CLOSING && dialog.state != STEM_DIALOG_DEAD;
    if (message.method == sip::Method::bye && origin != Origin::known && living) {
        suspect_bye(std::move(packet), message, place);
        return;
    }
    if (origin == Origin::stranger) {
        const Objection objection{STEM_SIP_FLOW, fmt::format("{} from {}, but that leg signals from {}",
                                                             message.method_name, packet.source.to_string(),
                                                             call.leg[place.party].source().to_string())};
        reject(std::move(packet), &message, objection);
        return;
    }
    take_in(std::move(packet), message, place);
}

// A request against which nothing is to be said: the dialog follows it, and it goes on.
void Monitor::Machine::take_in(Packet packet, const sip::Message& message, const Place& place) {
    Call& call = *place.call;
    Dialog& dialog = *place.dialog;
    const Described session = describe(packet, message, &call, place.party);
    if (session.sdp == Sdp::malformed || session.sdp == Sdp::refused) {
        reject(std::move(packet), &message,
               {session.sdp == Sdp::malformed ? STEM_SDP_MALFORMED : STEM_MEDIA_ADDRESS, session.what});
        return;
    }
    Transaction* transaction = begin_transaction(packet, message, place);
    if (transaction == nullptr) {
        reject(std::move(packet), &message, {STEM_CALL_LIMIT, "no room for another transaction"});
        return;
    }
    dialog.cseq[place.party] = message.cseq;
    dialog.may_repeat[place.party] = false;
    dialog.heard_ns = now_ns_;
    learn_leg(call, place.party, packet, message);
    call.stream[place.party] = stream_of(packet);
    const std::string key = Transactions::key_of(message, packet.direction);
    if (message.method == sip::Method::invite) {
        dialog.pending_invite[place.party] = key;
        dialog.earlier_invite[place.party] = std::exchange(dialog.last_invite[place.party], message.cseq);
    }
    if (session.sdp == Sdp::usable) {
        if (dialog.response_offer && dialog.response_offer->by != place.party &&
            message.method == sip::Method::prack) {
            dialog.settled_invite = message.rack->cseq;
            answer_response_offer(call, dialog, session);
        } else {
            transaction->offer = session.media;
            if (dialog.offers.size() == offers_kept) {
                dialog.offers.erase(dialog.offers.begin());
            }
            dialog.offers.push_back(key);
        }
    }
    if (message.method == sip::Method::refer && message.refer_to) {
        dialog.refer_to = message.refer_to->text;
        spdlog::info("call {:x} {} -> {}: referred to {}", dialog.id, call.caller, call.callee,
                     dialog.refer_to);
    }
    if (message.method == sip::Method::bye && dialog.state != STEM_DIALOG_DEAD) {
        if (dialog.state == STEM_DIALOG_ANSWERED && place.party == STEM_CALLEE) { // 15: it must not yet
            totals_.byes_early++;
        }
        dialog.state = STEM_DIALOG_CLOSING;
        let_byes_go(dialog.id);
        set_timer(settings_.linger, Alarm::closing, call.id, dialog.id);
    }
    remember(call, dialog);
    release(std::move(packet), message, &call);
}

} // namespace stem::call
