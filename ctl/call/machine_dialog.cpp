// SPDX-License-Identifier: Apache-2.0
// Requests inside a call: ACK, BYE, re-INVITE, UPDATE, PRACK and the rest.
#include <spdlog/spdlog.h>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

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

// May a dialog in `state` have this request from `party`? The table of RFC 3261 12 to 15, as seen from
// between.
bool allowed(sip::Method method, stem_dialog_state state, stem_party party) {
    switch (method) {
    case sip::Method::invite:
        return state == STEM_DIALOG_UP;
    case sip::Method::bye: // the callee has to wait for the ACK (15); a lost one must not keep the call alive
        return state == STEM_DIALOG_EARLY ? party == STEM_CALLER : state != STEM_DIALOG_CALLING;
    case sip::Method::prack:
    case sip::Method::update:
        return state == STEM_DIALOG_EARLY || state == STEM_DIALOG_ANSWERED || state == STEM_DIALOG_UP;
    default:
        return state != STEM_DIALOG_CALLING;
    }
}

} // namespace

// RFC 3261 12.2.2: a side's requests have rising CSeq numbers; gaps are legal.
bool Monitor::Machine::follows(const Dialog& dialog, stem_party party, std::uint32_t cseq) const {
    return dialog.cseq[party] == 0 || cseq > dialog.cseq[party] ||
           (dialog.may_repeat[party] && cseq == dialog.cseq[party]);
}

void Monitor::Machine::on_ack(Packet packet, const sip::Message& message) {
    const Place place = place_of(message, packet.direction);
    if (place.call == nullptr) {
        egress_.drop(std::move(packet), STEM_SIP_NO_DIALOG, "ACK for no call that is known");
        return;
    }
    Call& call = *place.call;
    if (call.state == CallState::refused || call.state == CallState::ignored) {
        egress_.drop(std::move(packet), STEM_SIP_ABSORBED, "ACK of our own answer");
        return;
    }
    if (call.state == CallState::held) {
        egress_.drop(std::move(packet), STEM_SIP_STATE, "ACK while the INVITE is held");
        return;
    }
    if (call.state == CallState::failed) { // of a failure: hop by hop, with the INVITE's branch (17.1.1.3)
        if (message.cseq == call.cseq) {
            release(std::move(packet), message, &call);
        } else {
            egress_.drop(std::move(packet), STEM_SIP_CSEQ, "ACK with another CSeq than the INVITE's");
        }
        return;
    }
    if (message.cseq == call.cseq && call.failed_legs.contains(message.vias.front().branch)) {
        release(std::move(packet), message, &call); // of one leg's failure, while another still rings
        return;
    }
    Dialog* dialog = place.dialog;
    if (dialog == nullptr) {
        egress_.drop(std::move(packet), STEM_SIP_NO_DIALOG, "ACK for no dialog that is known");
        return;
    }
    if (dialog->state == STEM_DIALOG_CALLING || dialog->state == STEM_DIALOG_EARLY) {
        egress_.drop(std::move(packet), STEM_SIP_STATE, "ACK before an answer");
        return;
    }
    if (dialog->response_offer && dialog->response_offer->by != place.party) {
        const Described session = describe(packet, message, &call, place.party);
        if (session.sdp == Sdp::malformed) {
            egress_.drop(std::move(packet), STEM_SDP_MALFORMED, session.what);
            return;
        }
        answer_response_offer(call, *dialog, session);
    }
    if (dialog->state == STEM_DIALOG_ANSWERED) {
        dialog->state = STEM_DIALOG_UP;
        remember(call, *dialog);
        set_timer(settings_.silence, Alarm::silence, call.id, dialog->id);
        tell_up(call, *dialog);
    }
    release(std::move(packet), message, nullptr);
}

void Monitor::Machine::on_inside_request(Packet packet, const sip::Message& message) {
    const Place place = place_of(message, packet.direction);
    if (place.call == nullptr || place.dialog == nullptr || place.call->state == CallState::held) {
        if (!passes_without_dialog(message.method) && !is_of_cut_dialog(message)) {
            egress_.drop(std::move(packet), STEM_SIP_NO_DIALOG,
                         message.method_name + " for no dialog that is known");
            return;
        }
        if (begin_transaction(message, packet.direction, {}) == nullptr) {
            egress_.drop(std::move(packet), STEM_CALL_LIMIT, "no room for another transaction");
            return;
        }
        release(std::move(packet), message, nullptr);
        return;
    }
    Call& call = *place.call;
    Dialog& dialog = *place.dialog;
    if (transactions_.find(Transactions::key_of(message, packet.direction)) != nullptr) {
        release(std::move(packet), message, &call); // a retransmission
        return;
    }
    if (!allowed(message.method, dialog.state, place.party)) {
        egress_.drop(std::move(packet), STEM_SIP_STATE,
                     message.method_name + " where the call's state does not allow it");
        return;
    }
    if (!follows(dialog, place.party, message.cseq)) {
        egress_.drop(std::move(packet), STEM_SIP_CSEQ,
                     fmt::format("CSeq {} after {}", message.cseq, dialog.cseq[place.party]));
        return;
    }
    const Described session = describe(packet, message, &call, place.party);
    if (session.sdp == Sdp::malformed) {
        egress_.drop(std::move(packet), STEM_SDP_MALFORMED, session.what);
        return;
    }
    if (session.sdp == Sdp::refused) {
        egress_.drop(std::move(packet), STEM_MEDIA_ADDRESS, session.what);
        return;
    }
    Transaction* transaction = begin_transaction(message, packet.direction, place);
    if (transaction == nullptr) {
        egress_.drop(std::move(packet), STEM_CALL_LIMIT, "no room for another transaction");
        return;
    }
    dialog.cseq[place.party] = message.cseq;
    dialog.may_repeat[place.party] = false;
    call.signalling[place.party] = packet.source;
    call.stream[place.party] = stream_of(packet);
    if (session.sdp == Sdp::usable) {
        if (dialog.response_offer && dialog.response_offer->by != place.party &&
            message.method == sip::Method::prack) {
            answer_response_offer(call, dialog, session);
        } else {
            transaction->offer = session.media;
        }
    }
    if (message.method == sip::Method::bye && dialog.state != STEM_DIALOG_DEAD) {
        dialog.state = STEM_DIALOG_CLOSING;
        set_timer(settings_.linger, Alarm::closing, call.id, dialog.id);
    }
    remember(call, dialog);
    release(std::move(packet), message, &call);
}

} // namespace stem::call
