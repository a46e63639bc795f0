// SPDX-License-Identifier: Apache-2.0
// A call begins: the INVITE is held, the Security Manager asked, and the INVITE released, rewritten, refused
// or dropped. What is repeated meanwhile is absorbed, and CANCEL works at any time.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr int status_trying = 100;
constexpr int status_ok = 200;
constexpr int status_terminated = 487;
constexpr int status_not_acceptable = 488;
constexpr int status_unavailable = 503;
constexpr std::size_t max_legs = 16; // of one call, forked by a proxy before us

std::string own_tag(const Call& call) {
    return fmt::format("stem-{:x}", call.id);
}

std::string identity_of(const sip::Message& invite) {
    return invite.request_uri.text + '\n' + invite.from.text + '\n' + invite.to.text;
}

// For the egress's log, whose rate is limited: a flood of calls that are refused must not fill the disk.
std::string described(const Call& call, std::string_view what) {
    return fmt::format("call {:x} {} -> {}: {}", call.id, call.caller, call.callee, what);
}

std::string sent_by_of(const sip::Message& message) {
    const sip::Via& via = message.vias.front();
    return fmt::format("{} {}", via.host, via.port);
}

} // namespace

void Monitor::Machine::on_invite(Packet packet, const sip::Message& message) {
    const std::string key = call_key(packet.direction, message.call_id, message.from_tag);
    if (const auto there = calls_.find(key); there != calls_.end()) {
        on_repeated_invite(std::move(packet), message, *there->second);
        return;
    }
    if (calls_.size() >= room_for_calls(packet) && !make_room()) {
        egress_.reply(packet, sip::make_response(packet.payload, message, status_unavailable,
                                                 sip::phrase_of(status_unavailable), "stem-full"));
        egress_.drop(std::move(packet), STEM_CALL_LIMIT, "as many calls as [calls] max allows");
        return;
    }
    auto call = std::make_unique<Call>();
    call->id = ++next_id_;
    call->key = key;
    call->direction = packet.direction;
    call->call_id = message.call_id;
    call->caller_tag = message.from_tag;
    call->started_ns = now_ns_;
    call->dialogs.push_back({.id = call->id});
    Call& begun = *call;
    by_id_[begun.id] = call.get();
    calls_.emplace(key, std::move(call));
    totals_.calls_seen++;
    hold(std::move(packet), message, begun);
}

// Forgets the call that is over for longest: what it still absorbed would only be judged anew. So a flood of
// calls that are refused cannot shut out those that are not. False: all are alive.
bool Monitor::Machine::make_room() {
    if (lingering_.empty()) {
        return false;
    }
    forget(*call_of(lingering_.begin()->second));
    return true;
}

// Keeps the INVITE, and asks.
void Monitor::Machine::hold(Packet packet, const sip::Message& message, Call& call) {
    call.state = CallState::held;
    call.serial++;
    call.trying_sent = false;
    call.branch = message.vias.front().branch;
    call.cseq = message.cseq;
    call.caller = message.from.text;
    call.callee = message.to.text;
    call.identity = identity_of(message);
    call.sent_by = sent_by_of(message);
    call.legs = {call.branch};
    call.failed_legs.clear();
    call.target.clear();
    lingering_.erase({call.dead_since_ns, call.id});
    call.dead_since_ns = 0;
    call.signalling[STEM_CALLER] = packet.source;
    call.signalling[STEM_CALLEE] = packet.destination;
    call.stream[STEM_CALLER] = stream_of(packet);
    call.answer_told = false;

    Described session = describe(packet, message, nullptr, STEM_CALLER);
    call.held.emplace(Held{.packet = std::move(packet), .message = message});
    held_++;
    if (held_ > settings_.max_held) {
        refuse(call, status_unavailable, {}, STEM_HOLD_LIMIT,
               "as many held INVITEs as [calls] max_held allows");
        return;
    }
    if (session.sdp == Sdp::malformed) {
        refuse(call, status_not_acceptable, {}, STEM_SDP_MALFORMED, session.what);
        return;
    }
    if (session.sdp == Sdp::refused) {
        refuse(call, status_not_acceptable, {}, STEM_MEDIA_ADDRESS, session.what);
        return;
    }
    call.offer.reset();
    if (session.sdp == Sdp::usable) {
        call.offer = std::move(session.media);
    }
    if (!has_room_for_media(call)) {
        totals_.calls_over_total++;
        refuse(call, status_unavailable, {}, STEM_MEDIA_TOTAL,
               "its media would be more than threshold rtp_total_kbps lets through");
        return;
    }
    ask(call, message);
    if (call.state == CallState::held) { // not decided on the spot
        set_timer(settings_.trying_after, Alarm::trying, call.id, call.serial);
        set_timer(settings_.decision_timeout, Alarm::decision, call.id, call.serial);
    }
}

Held Monitor::Machine::take_held(Call& call) {
    Held held = std::move(*call.held);
    call.held.reset();
    held_--;
    return held;
}

void Monitor::Machine::ask(const Call& call, const sip::Message& message) {
    const sm::Query query{.caller = message.from.text,
                          .callee = message.request_uri.text,
                          .call_id = message.call_id,
                          .direction = call.direction,
                          .at = std::chrono::system_clock::now()};
    sm_.decide(query, [this, alive = std::weak_ptr<bool>(alive_), id = call.id,
                       serial = call.serial](const sm::Decision& decision) {
        if (!alive.expired()) {
            decided(id, serial, decision);
        }
    });
}

void Monitor::Machine::decided(std::uint64_t call_id, std::uint64_t serial, const sm::Decision& decision) {
    Call* call = call_of(call_id);
    if (call == nullptr || call->state != CallState::held || call->serial != serial) {
        return; // cancelled, timed out, or asked anew meanwhile
    }
    call->why = decision.why;
    if (decision.deny.count() > 0 && call->direction == STEM_INBOUND) {
        observer_->deny_asked(call->signalling[STEM_CALLER].address, decision.deny, decision.deny_note);
    }
    if (const auto* accept = std::get_if<sm::Accept>(&decision.action); accept != nullptr) {
        let_go(*call, {}, accept->terminals);
    } else if (const auto* forward = std::get_if<sm::Forward>(&decision.action); forward != nullptr) {
        let_go(*call, forward->target, forward->terminals);
    } else if (const auto* reject = std::get_if<sm::Reject>(&decision.action); reject != nullptr) {
        totals_.calls_refused++;
        refuse(*call, reject->status, reject->phrase, STEM_SM_REJECTED, decision.why);
    } else {
        totals_.calls_refused++;
        call->state = CallState::ignored;
        const bool spam = std::get<sm::Drop>(decision.action).spam;
        egress_.drop(std::move(take_held(*call).packet), spam ? STEM_SM_SPAM : STEM_SM_DROPPED,
                     described(*call, decision.why));
        bury_when_over(*call);
    }
}

void Monitor::Machine::let_go(Call& call, const std::string& target, std::vector<Address> terminals) {
    Place place;
    place.call = &call;
    Transaction* transaction = begin_transaction(call.held->message, call.direction, place);
    if (transaction == nullptr) {
        refuse(call, status_unavailable, {}, STEM_CALL_LIMIT, "no room for another transaction");
        return;
    }
    transaction->call = call.id; // where it is one of a call that was forgotten
    transaction->offer = call.offer;
    auto [packet, message] = take_held(call);
    call.state = CallState::going;
    call.target = target;
    call.terminals = std::move(terminals);
    if (call.terminals.size() > STEM_TERMINALS_MAX) {
        call.terminals.resize(STEM_TERMINALS_MAX);
    }
    call.dialogs.clear(); // of an earlier attempt (401, 407): nothing of it is left
    call.dialogs.push_back({.id = call.id, .changed_ns = now_ns_});
    call.dialogs.front().cseq[STEM_CALLER] = call.cseq;
    reserve(call);
    call.ring_until_ns = now_ns_ + ns_of(settings_.ring_timeout);
    set_timer(settings_.ring_timeout, Alarm::ringing, call.id, call.serial);
    spdlog::info("call {:x} {} -> {}: {}{}: {}", call.id, call.caller, call.callee,
                 target.empty() ? "accepted" : "forwarded to ", target, call.why);
    remember(call, call.dialogs.front());
    release(std::move(packet), message, &call);
}

// Answers a held INVITE ourselves, and keeps the answer for its retransmissions.
void Monitor::Machine::refuse(Call& call, int status, std::string_view phrase, stem_reason reason,
                              std::string_view what) {
    auto [packet, message] = take_held(call);
    call.state = CallState::refused;
    call.refusal = sip::make_response(packet.payload, message, status,
                                      phrase.empty() ? sip::phrase_of(status) : phrase, own_tag(call));
    egress_.reply(packet, call.refusal);
    egress_.drop(std::move(packet), reason, described(call, what));
    bury_when_over(call);
}

void Monitor::Machine::on_repeated_invite(Packet packet, const sip::Message& message, Call& call) {
    if (!call.identity && call.state == CallState::going && message.cseq == call.cseq) {
        // Adopted after a restart, and of what its decision was made is not known. Where nobody answered yet
        // it is made anew; else the INVITE has arrived, and need not be repeated.
        if (call.dialogs.size() == 1 && call.dialogs.front().state == STEM_DIALOG_CALLING) {
            forget(call);
            on_invite(std::move(packet), message);
            return;
        }
        egress_.drop(std::move(packet), STEM_SIP_ABSORBED, "INVITE repeated after a restart");
        return;
    }
    // The decision holds for what it was made of. A Call-ID, a tag and a branch are easily borrowed.
    const bool meant = call.identity == identity_of(message);
    const std::string& branch = message.vias.front().branch;
    const bool same =
        meant && message.cseq == call.cseq &&
        (branch == call.branch ? sent_by_of(message) == call.sent_by : call.legs.contains(branch));
    if (!same) {
        // A new attempt after a failure (401, 407, 422: RFC 3261 8.1.3.5), with a CSeq that rose.
        const bool over =
            call.state == CallState::failed || call.state == CallState::refused || call.dead_since_ns != 0;
        if (over && message.cseq > call.cseq) {
            if (std::exchange(call.challenged, false) && call.direction == STEM_INBOUND) {
                observer_->invite_retried();
            }
            hold(std::move(packet), message, call);
            return;
        }
        // Another branch of the same attempt: a proxy before us forked, and both legs come this way.
        if (meant && call.state == CallState::going && message.cseq == call.cseq && branch != call.branch &&
            call.legs.size() < max_legs) {
            Place place;
            place.call = &call;
            if (Transaction* transaction = begin_transaction(message, packet.direction, place);
                transaction != nullptr) {
                transaction->offer = call.offer;
                call.legs.insert(branch);
                release(std::move(packet), message, &call);
                return;
            }
        }
        egress_.drop(std::move(packet), STEM_SIP_STATE, "INVITE for a call that is there already");
        return;
    }
    switch (call.state) {
    case CallState::held:
        if (call.trying_sent) {
            egress_.reply(packet, sip::make_response(packet.payload, message, status_trying,
                                                     sip::phrase_of(status_trying), {}));
        }
        egress_.drop(std::move(packet), STEM_SIP_ABSORBED, "INVITE repeated while held");
        return;
    case CallState::refused:
        egress_.reply(packet, call.refusal);
        egress_.drop(std::move(packet), STEM_SIP_ABSORBED, "INVITE repeated after its refusal");
        return;
    case CallState::ignored:
        egress_.drop(std::move(packet), STEM_SIP_ABSORBED, "INVITE repeated after it was dropped");
        return;
    case CallState::going:
    case CallState::failed:
        release(std::move(packet), message, &call);
        return;
    }
}

// CANCEL cannot be challenged (RFC 3261 22.1): it must name the INVITE exactly, and come from where it came.
void Monitor::Machine::on_cancel(Packet packet, const sip::Message& message) {
    const auto found = calls_.find(call_key(packet.direction, message.call_id, message.from_tag));
    if (found == calls_.end()) {
        // A re-INVITE can be cancelled by either side, and is then a transaction of its dialog.
        sip::Message invite = message;
        invite.method_name = sip::name_of(sip::Method::invite);
        if (transactions_.find(Transactions::key_of(invite, packet.direction)) == nullptr) {
            egress_.drop(std::move(packet), STEM_SIP_NO_TRANSACTION, "CANCEL for no INVITE that is pending");
            return;
        }
        if (begin_transaction(message, packet.direction, {}) == nullptr) {
            egress_.drop(std::move(packet), STEM_CALL_LIMIT, "no room for another transaction");
            return;
        }
        release(std::move(packet), message, nullptr);
        return;
    }
    Call& call = *found->second;
    const bool pending_reinvite = message.vias.front().branch != call.branch && [&] {
        sip::Message invite = message;
        invite.method_name = sip::name_of(sip::Method::invite);
        return transactions_.find(Transactions::key_of(invite, packet.direction)) != nullptr;
    }();
    if (!pending_reinvite && (message.vias.front().branch != call.branch || message.cseq != call.cseq)) {
        egress_.drop(std::move(packet), STEM_SIP_STATE, "CANCEL with another branch or CSeq than the INVITE");
        return;
    }
    if (packet.source.address != call.signalling[STEM_CALLER].address) {
        const std::string what =
            fmt::format("CANCEL from {}, but the INVITE came from {}", packet.source.to_string(),
                        call.signalling[STEM_CALLER].to_string());
        egress_.drop(std::move(packet), STEM_SIP_STATE, what);
        return;
    }
    if (call.state == CallState::held) {
        egress_.reply(packet, sip::make_response(packet.payload, message, status_ok,
                                                 sip::phrase_of(status_ok), own_tag(call)));
        egress_.drop(std::move(packet), STEM_SIP_ANSWERED, "CANCEL of a held INVITE");
        refuse(call, status_terminated, {}, STEM_SIP_ANSWERED, "cancelled while held");
        return;
    }
    if (call.state == CallState::refused || call.state == CallState::ignored) {
        if (call.state == CallState::refused) {
            egress_.reply(packet, sip::make_response(packet.payload, message, status_ok,
                                                     sip::phrase_of(status_ok), own_tag(call)));
        }
        egress_.drop(std::move(packet), STEM_SIP_ABSORBED, "CANCEL of an INVITE that was refused");
        return;
    }
    Place place;
    place.call = &call;
    if (begin_transaction(message, packet.direction, place) == nullptr) {
        egress_.drop(std::move(packet), STEM_CALL_LIMIT, "no room for another transaction");
        return;
    }
    // Pinholes stay: a 200 may be crossing (9.1). The final response decides.
    release(std::move(packet), message, &call);
}

} // namespace stem::call
