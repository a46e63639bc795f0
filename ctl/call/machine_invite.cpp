// SPDX-License-Identifier: Apache-2.0
// A call begins: the INVITE is held, the Security Manager asked, and the INVITE released, rewritten, refused
// or dropped. What is repeated meanwhile is absorbed.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr int status_trying = 100;
constexpr int status_proxy_authentication = 407;
constexpr int status_not_acceptable = 488;
constexpr int status_unavailable = 503;
constexpr std::size_t max_legs = 16; // of one call, forked by a proxy before us

std::string identity_of(const sip::Message& invite) {
    return invite.request_uri.text + '\n' + invite.from.text + '\n' + invite.to.text;
}

// For the egress's log, whose rate is limited: a flood of calls that are refused must not fill the disk.
std::string described(const Call& call, std::string_view what) {
    return fmt::format("call {:x} {} -> {}: {}", call.id, call.caller, call.callee, what);
}

// A proxy that forks changes the request URI and the branch, and nothing of these (16.6).
bool is_same_caller(const Call& call, const sip::Message& invite) {
    return call.identity && call.identity->ends_with('\n' + invite.from.text + '\n' + invite.to.text);
}

// As much of it as a Security Manager reads; credentials that are longer are nobody's.
std::vector<std::string> authorization_of(const sip::Message& invite) {
    std::vector<std::string> values;
    for (const std::string& value : invite.proxy_authorization) {
        if (!value.empty() && value.size() <= sm::max_authorization &&
            values.size() < sm::max_authorizations) {
            values.push_back(value);
        }
    }
    return values;
}

bool is_over(const Call& call) {
    return call.state == CallState::failed || call.state == CallState::refused ||
           call.state == CallState::ignored || call.dead_since_ns != 0;
}

bool is_answered(const Call& call) {
    return std::ranges::any_of(call.dialogs, [](const Dialog& dialog) { return dialog.answered_ns != 0; });
}

} // namespace

void Monitor::Machine::on_invite(Packet packet, const sip::Message& message) {
    const std::string key = call_key(packet.direction, message.call_id, message.from_tag);
    std::vector<Call*> kin;
    const auto [first, last] = calls_.equal_range(key);
    for (auto each = first; each != last; ++each) {
        kin.push_back(each->second.get());
    }
    if (kin.empty()) {
        begin_call(std::move(packet), message, key);
    } else {
        on_known_invite(std::move(packet), message, kin);
    }
}

void Monitor::Machine::begin_call(Packet packet, const sip::Message& message, const std::string& key) {
    if (calls_.size() >= room_for_calls(packet) && !make_room()) {
        if (!is_only_monitored(packet)) {
            egress_.reply(packet, sip::make_response(packet.payload, message, status_unavailable,
                                                     sip::phrase_of(status_unavailable), "stem-full"));
        }
        reject(std::move(packet), &message, {STEM_CALL_LIMIT, "as many calls as [calls] max_calls allows"});
        return;
    }
    auto call = std::make_unique<Call>();
    call->id = ++next_id_;
    call->key = key;
    call->direction = packet.direction;
    call->call_id = message.call_id;
    call->caller_tag = message.from_tag;
    call->started_ns = now_ns_;
    call->dialogs.push_back(Dialog{.id = call->id});
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
    call.request_uri = message.request_uri.text;
    call.legs = {call.branch};
    call.failed_legs.clear();
    call.target.clear();
    call.user.clear();
    call.max_duration = std::chrono::seconds(0);
    lingering_.erase({call.dead_since_ns, call.id});
    call.dead_since_ns = 0;
    call.leg[STEM_CALLER] = LegFlow(packet.source);
    call.leg[STEM_CALLER].learn_hops(message);
    call.leg[STEM_CALLEE] = LegFlow(packet.destination);
    call.address_of_record[STEM_CALLER] = message.from.address_of_record();
    call.address_of_record[STEM_CALLEE] = message.to.address_of_record();
    call.stream[STEM_CALLER] = stream_of(packet);
    call.answer_told = false;
    call.replaces = message.replaces ? replaced_by(message) : 0;
    call.watched = is_only_monitored(packet);

    Described session = describe(packet, message, nullptr, STEM_CALLER);
    call.held.emplace(Held{.packet = std::move(packet), .message = message});
    held_++;
    call.offer.reset();
    if (session.sdp == Sdp::usable) {
        call.offer = std::move(session.media);
    }
    if (call.watched) {
        std::optional<Objection> objection;
        if (session.sdp == Sdp::malformed || session.sdp == Sdp::refused) {
            objection = {session.sdp == Sdp::malformed ? STEM_SDP_MALFORMED : STEM_MEDIA_ADDRESS,
                         session.what};
        }
        let_go(call, {}, {}, objection);
        ask(call, message);
        return;
    }
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

// RFC 3891 3: the tags as the called party knows them, so that its own is the To tag. 0: a dialog that does
// not cross us, or none; the called party answers for it.
std::uint64_t Monitor::Machine::replaced_by(const sip::Message& message) {
    const auto& wanted = *message.replaces;
    for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        for (const auto& [caller, callee] :
             {std::pair(&wanted.from_tag, &wanted.to_tag), std::pair(&wanted.to_tag, &wanted.from_tag)}) {
            const auto [first, last] = calls_.equal_range(call_key(direction, wanted.call_id, *caller));
            for (auto each = first; each != last; ++each) {
                if (const Dialog* dialog = each->second->dialog(*callee);
                    dialog != nullptr && dialog->state != STEM_DIALOG_DEAD) {
                    return dialog->id;
                }
            }
        }
    }
    return 0;
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
                          .at = std::chrono::system_clock::now(),
                          .call = fmt::format("{:x}", call.id),
                          .source = call.leg[STEM_CALLER].source().address,
                          .method = message.method_name,
                          .authorization = authorization_of(message)};
    sm_.decide(query, [this, alive = std::weak_ptr<bool>(alive_), id = call.id,
                       serial = call.serial](const sm::Decision& decision) {
        if (!alive.expired()) {
            decided(id, serial, decision);
        }
    });
}

void Monitor::Machine::decided(std::uint64_t call_id, std::uint64_t serial, const sm::Decision& decision) {
    Call* call = call_of(call_id);
    if (call != nullptr && call->serial == serial && call->watched) {
        call->why = decision.why;
        watch_decision(*call, decision);
        return;
    }
    if (call == nullptr || call->state != CallState::held || call->serial != serial) {
        return; // cancelled, timed out, or asked anew meanwhile
    }
    call->why = decision.why;
    call->user = decision.user;
    call->max_duration = decision.max_duration;
    if (decision.deny.count() > 0 && call->direction == STEM_INBOUND) {
        observer_->deny_asked(call->leg[STEM_CALLER].source().address, decision.deny, decision.deny_note);
    }
    if (const auto* accept = std::get_if<sm::Accept>(&decision.action); accept != nullptr) {
        let_go(*call, {}, accept->terminals);
    } else if (const auto* forward = std::get_if<sm::Forward>(&decision.action); forward != nullptr) {
        let_go(*call, forward->target, forward->terminals);
    } else if (const auto* reject = std::get_if<sm::Reject>(&decision.action); reject != nullptr) {
        totals_.calls_refused++;
        refuse(*call, reject->status, reject->phrase, STEM_SM_REJECTED, decision.why, reject->retry_after);
    } else if (const auto* asked = std::get_if<sm::Challenge>(&decision.action); asked != nullptr) {
        challenge(*call, *asked, decision.why);
    } else {
        totals_.calls_refused++;
        call->state = CallState::ignored;
        const bool spam = std::get<sm::Drop>(decision.action).spam;
        egress_.drop(std::move(take_held(*call).packet), spam ? STEM_SM_SPAM : STEM_SM_DROPPED,
                     described(*call, decision.why));
        bury_when_over(*call);
    }
}

void Monitor::Machine::let_go(Call& call, const std::string& target, std::vector<Address> terminals,
                              const std::optional<Objection>& objection) {
    Place place;
    place.call = &call;
    Transaction* transaction = begin_transaction(call.held->packet, call.held->message, place);
    if (transaction == nullptr) {
        refuse(call, status_unavailable, {}, STEM_CALL_LIMIT, "no room for another transaction");
        return;
    }
    transaction->call = call.id; // where it is one of a call that was forgotten
    transaction->offer = call.offer;
    transaction->imprint = imprint_of(call.held->message, call.held->packet.payload);
    auto [packet, message] = take_held(call);
    call.state = CallState::going;
    call.target = target;
    call.terminals = std::move(terminals);
    if (call.terminals.size() > STEM_TERMINALS_MAX) {
        call.terminals.resize(STEM_TERMINALS_MAX);
    }
    for (const Address& terminal : call.terminals) {
        call.leg[STEM_CALLEE].learn_hop(terminal);
    }
    call.dialogs.clear(); // of an earlier attempt (401, 407): nothing of it is left
    call.dialogs.push_back(Dialog{.id = call.id, .changed_ns = now_ns_});
    call.dialogs.front().cseq[STEM_CALLER] = call.cseq;
    call.dialogs.front().last_invite[STEM_CALLER] = call.cseq;
    reserve(call);
    call.ring_until_ns = now_ns_ + ns_of(settings_.ring_timeout);
    set_timer(settings_.linger, Alarm::unheard, call.id, call.serial);
    set_timer(settings_.ring_timeout, Alarm::ringing, call.id, call.serial);
    spdlog::info("call {:x} {} -> {}: {}{}: {}", call.id, call.caller, call.callee,
                 target.empty() ? "accepted" : "forwarded to ", target, call.why);
    remember(call, call.dialogs.front());
    tell(call, sm::Link::CallEvent::State::going);
    if (objection) {
        reject(std::move(packet), &message, *objection);
    } else {
        release(std::move(packet), message, &call);
    }
}

// Answers a held INVITE ourselves, and keeps the answer for its retransmissions.
void Monitor::Machine::refuse(Call& call, int status, std::string_view phrase, stem_reason reason,
                              std::string_view what, std::chrono::seconds retry_after,
                              const std::vector<std::string>& challenges) {
    auto [packet, message] = take_held(call);
    if (call.watched) {
        call.state = CallState::ignored;
        reject(std::move(packet), &message, {reason, described(call, what)});
        bury_when_over(call);
        return;
    }
    call.state = CallState::refused;
    call.refusal =
        sip::make_response(packet.payload, message, status, phrase.empty() ? sip::phrase_of(status) : phrase,
                           call.own_tag(), retry_after, challenges);
    egress_.reply(packet, call.refusal);
    egress_.drop(std::move(packet), reason, described(call, what));
    bury_when_over(call);
}

// The sender answers with a new INVITE, of the same Call-ID and a higher CSeq: try_again() has it decided
// anew. Its Proxy-Authorization stays in what goes on (RFC 3261 22.3 lets it; the bytes are the sender's).
void Monitor::Machine::challenge(Call& call, const sm::Challenge& challenge, std::string_view why) {
    if (challenge.values.empty()) {
        totals_.calls_refused++;
        refuse(call, status_unavailable, {}, STEM_SM_REJECTED, why);
        return;
    }
    totals_.calls_challenged++;
    refuse(call, status_proxy_authentication, {}, STEM_SM_CHALLENGED, why, std::chrono::seconds(0),
           challenge.values);
}

void Monitor::Machine::on_known_invite(Packet packet, const sip::Message& message,
                                       const std::vector<Call*>& kin) {
    const std::string& branch = message.vias.front().branch;
    const auto adopted = std::ranges::find_if(kin, [&](const Call* call) {
        return !call->identity && call->state == CallState::going && message.cseq == call->cseq;
    });
    if (adopted != kin.end()) {
        Call& call = **adopted;
        // Adopted after a restart, and of what its decision was made is not known. Where nobody answered yet
        // it is made anew; else the INVITE has arrived, and need not be repeated.
        if (call.dialogs.size() == 1 && call.dialogs.front().state == STEM_DIALOG_CALLING) {
            forget(call);
            on_invite(std::move(packet), message);
        } else {
            absorb(std::move(packet), "INVITE repeated after a restart");
        }
        return;
    }
    const auto owner =
        std::ranges::find_if(kin, [&](const Call* call) { return call->legs.contains(branch); });
    if (owner == kin.end()) {
        on_new_branch(std::move(packet), message, kin);
        return;
    }
    Call& call = **owner;
    // The decision holds for what it was made of. A Call-ID, a tag and a branch are easily borrowed. Whether
    // all of it is the same counts only for what goes on (on_repetition).
    const bool same = call.identity == identity_of(message) && message.cseq == call.cseq &&
                      (branch != call.branch || sent_by_of(message) == call.sent_by);
    if (same) {
        on_repeated_invite(std::move(packet), message, call);
    } else if (is_over(call) && message.cseq > call.cseq) { // by one older than RFC 3261, without a branch
        try_again(std::move(packet), message, call);
    } else {
        reject(std::move(packet), &message, {STEM_SIP_STATE, "INVITE for a call that is there already"});
    }
}

// The same Call-ID and tag with another branch: another leg of the attempt that a proxy before us has forked,
// or a new attempt.
void Monitor::Machine::on_new_branch(Packet packet, const sip::Message& message,
                                     const std::vector<Call*>& kin) {
    std::size_t legs = 0;
    for (const Call* call : kin) {
        legs += call->legs.size();
    }
    const Described session = describe(packet, message, nullptr, STEM_CALLER);
    const bool usable = session.sdp == Sdp::none || session.sdp == Sdp::usable;
    const auto shares = [&](const Call* call) { // the decision, which the source was a part of
        return usable && !is_over(*call) && call->identity == identity_of(message) &&
               origin_of(*call, STEM_CALLER, packet.source) != Origin::stranger;
    };
    for (Call* call : kin) {
        if (legs < max_legs && shares(call) && join_as_leg(packet, message, *call, session)) {
            return;
        }
    }
    const auto alive = std::ranges::find_if(kin, [](const Call* call) { return !is_over(*call); });
    if (alive != kin.end()) {
        // A leg with a request URI of its own, from another host, or with a session description that is to be
        // refused is a call of its own: it needs its own decision. Not once the attempt was answered, and not
        // where it is the same as one that waits: that one will do (8.2.2.2).
        const Call& call = **alive;
        if (is_same_caller(call, message) && std::ranges::none_of(kin, shares) && message.cseq == call.cseq &&
            !is_answered(call) && legs < max_legs) {
            begin_call(std::move(packet), message, call.key);
            return;
        }
        reject(std::move(packet), &message, {STEM_SIP_STATE, "INVITE for a call that is there already"});
        return;
    }
    // A new attempt after a failure: with a CSeq that rose (401, 407, 422, 3xx: 8.1.3), or with the same one
    // from a proxy that tries the next target (16.7, step 4 and 5).
    Call& call = *kin.front();
    const auto highest = std::ranges::max(kin, {}, [](const Call* each) { return each->cseq; })->cseq;
    const bool next_target = message.cseq == highest && !is_answered(call) && is_same_caller(call, message);
    if (message.cseq > highest || next_target) {
        try_again(std::move(packet), message, call);
        return;
    }
    reject(std::move(packet), &message, {STEM_SIP_STATE, "INVITE for a call that was there before"});
}

void Monitor::Machine::try_again(Packet packet, const sip::Message& message, Call& call) {
    if (std::exchange(call.challenged, false) && call.direction == STEM_INBOUND) {
        observer_->invite_retried();
    }
    hold(std::move(packet), message, call);
}

// A proxy before us forked to the same request URI: what was decided of one leg holds for the other, whose
// media may be elsewhere. False: it cannot, and the packet is still the caller's.
bool Monitor::Machine::join_as_leg(Packet& packet, const sip::Message& message, Call& call,
                                   const Described& session) {
    if (call.state != CallState::going || message.cseq != call.cseq || is_answered(call)) {
        return false;
    }
    Place place;
    place.call = &call;
    Transaction* transaction = begin_transaction(packet, message, place);
    if (transaction == nullptr) {
        return false;
    }
    transaction->call = call.id; // where it is one of a call that was forgotten
    transaction->offer = session.sdp == Sdp::usable ? std::optional(session.media) : std::nullopt;
    transaction->imprint = imprint_of(message, packet.payload);
    call.legs.insert(message.vias.front().branch);
    release(std::move(packet), message, &call);
    return true;
}

void Monitor::Machine::on_repeated_invite(Packet packet, const sip::Message& message, Call& call) {
    switch (call.state) {
    case CallState::held:
        if (call.trying_sent) {
            egress_.reply(packet, sip::make_response(packet.payload, message, status_trying,
                                                     sip::phrase_of(status_trying), {}));
        }
        absorb(std::move(packet), "INVITE repeated while held");
        return;
    case CallState::refused:
        egress_.reply(packet, call.refusal);
        absorb(std::move(packet), "INVITE repeated after its refusal");
        return;
    case CallState::ignored:
        absorb(std::move(packet), "INVITE repeated after it was dropped");
        return;
    case CallState::going:
        // The callee repeats its 2xx by itself (13.3.1.4), and absorbs this (RFC 6026 7.1).
        if (is_answered(call) || call.dead_since_ns != 0) {
            absorb(std::move(packet), "INVITE repeated after its answer");
            return;
        }
        break;
    case CallState::failed: // its answer may have been lost: it is repeated for this one (17.2.1)
        break;
    }
    Transaction* first = transactions_.find(Transactions::key_of(message, packet.direction));
    if (first == nullptr) {
        absorb(std::move(packet), "INVITE repeated after its time");
    } else if (origin_of(call, STEM_CALLER, packet.source) == Origin::stranger) {
        const Objection objection{STEM_SIP_FLOW,
                                  fmt::format("INVITE repeated from {}, but that leg signals from {}",
                                              packet.source.to_string(),
                                              call.leg[STEM_CALLER].source().to_string())};
        reject(std::move(packet), &message, objection);
    } else {
        on_repetition(std::move(packet), message, *first, &call);
    }
}

} // namespace stem::call
