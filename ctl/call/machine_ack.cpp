// SPDX-License-Identifier: Apache-2.0
// ACK: of a failure hop by hop, with the INVITE's branch (RFC 3261 17.1.1.3); of a 2xx end to end, with its
// CSeq number, by whatever way the dialog's requests go (13.2.2.4).
#include <fmt/format.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {

void Monitor::Machine::on_ack(Packet packet, const sip::Message& message) {
    const Place place = place_of(message, packet.direction);
    if (place.call == nullptr) {
        reject(std::move(packet), &message, {STEM_SIP_NO_DIALOG, "ACK for no call that is known"});
        return;
    }
    Call& call = *place.call;
    if (call.state == CallState::refused || call.state == CallState::ignored) {
        absorb(std::move(packet), "ACK of our own answer");
        return;
    }
    if (call.state == CallState::held) {
        reject(std::move(packet), &message, {STEM_SIP_STATE, "ACK while the INVITE is held"});
        return;
    }
    if (origin_of(call, place.party, packet.source) == Origin::stranger) {
        const Objection objection{STEM_SIP_FLOW, fmt::format("ACK from {}, but that leg signals from {}",
                                                             packet.source.to_string(),
                                                             call.leg[place.party].source().to_string())};
        reject(std::move(packet), &message, objection);
        return;
    }
    if (acknowledges_failure(message, call)) {
        release(std::move(packet), message, &call);
        return;
    }
    if (call.state == CallState::failed) {
        const bool other = message.cseq != call.cseq;
        reject(std::move(packet), &message,
               {other ? STEM_SIP_CSEQ : STEM_SIP_STATE, "ACK with another CSeq or branch than the INVITE's"});
        return;
    }
    if (place.dialog == nullptr) {
        reject(std::move(packet), &message, {STEM_SIP_NO_DIALOG, "ACK for no dialog that is known"});
        return;
    }
    acknowledge(std::move(packet), message, place);
}

// Of the call, or of one leg while another still rings.
bool Monitor::Machine::acknowledges_failure(const sip::Message& message, const Call& call) const {
    const std::string& branch = message.vias.front().branch;
    return message.cseq == call.cseq && (call.failed_legs.contains(branch) ||
                                         (call.state == CallState::failed && call.legs.contains(branch)));
}

void Monitor::Machine::acknowledge(Packet packet, const sip::Message& message, const Place& place) {
    Call& call = *place.call;
    Dialog& dialog = *place.dialog;
    if (dialog.state == STEM_DIALOG_CALLING || dialog.state == STEM_DIALOG_EARLY) {
        reject(std::move(packet), &message, {STEM_SIP_STATE, "ACK before an answer"});
        return;
    }
    const bool knows = dialog.last_invite[place.party] != 0;
    if (message.cseq != dialog.last_invite[place.party] &&
        message.cseq != dialog.earlier_invite[place.party] && (knows || !dialog.adopted)) {
        reject(std::move(packet), &message,
               {STEM_SIP_CSEQ, fmt::format("ACK with CSeq {}, but the INVITE's was {}", message.cseq,
                                           dialog.last_invite[place.party])});
        return;
    }
    if (dialog.response_offer && dialog.response_offer->by != place.party &&
        (dialog.response_offer->cseq == 0 || dialog.response_offer->cseq == message.cseq)) {
        const Described session = describe(packet, message, &call, place.party);
        if (session.sdp == Sdp::malformed) {
            reject(std::move(packet), &message, {STEM_SDP_MALFORMED, session.what});
            return;
        }
        if (session.sdp == Sdp::refused) { // the call is up all the same, and has no media here
            egress_.count(STEM_MEDIA_ADDRESS, packet.direction);
        }
        answer_response_offer(call, dialog, session);
    }
    if (dialog.state == STEM_DIALOG_ANSWERED && place.party == STEM_CALLER) {
        dialog.state = STEM_DIALOG_UP;
        remember(call, dialog);
        watch_silence(call, dialog, settings_.silence);
        tell_up(call, dialog);
    }
    learn_leg(call, place.party, packet, message);
    release(std::move(packet), message, nullptr);
}

} // namespace stem::call
