// SPDX-License-Identifier: Apache-2.0
// What a response means for the dialog that its request belongs to, or begins.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

// Called parties that one INVITE may reach before we stop opening media for more of them.
constexpr std::size_t max_forks = 16;
constexpr std::size_t reliable_kept = 8;          // of one dialog, that wait for their PRACK
constexpr std::uint32_t min_session_seconds = 90; // RFC 4028 4

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
    fork.cseq[STEM_CALLER] = fork.last_invite[STEM_CALLER] = call.cseq;
    call.dialogs.push_back(std::move(fork));
    return call.dialogs.back();
}

void Monitor::Machine::on_first_invite_response(const sip::Message& message, Call& call,
                                                Transaction& transaction) {
    if (transaction.cseq != call.cseq) {
        return;
    }
    if (is_success(message.status) && !message.to_tag.empty() && has_room_for(call, message.to_tag)) {
        on_answer(message, call, transaction);
        return;
    }
    if (call.state != CallState::going) {
        return;
    }
    if (!is_provisional(message.status)) {
        if (message.status >= 300) {
            on_failure(message, call);
        }
        return;
    }
    if (message.status == 100) { // no news of the callee's: Timer C is not begun anew (16.7 step 2)
        return;
    }
    call.ring_until_ns = now_ns_ + ns_of(settings_.ring_timeout);
    transaction.expires_ns = call.ring_until_ns + ns_of(settings_.linger);
    if (!message.to_tag.empty() && has_room_for(call, message.to_tag)) {
        Dialog& dialog = dialog_for(call, message.to_tag);
        if (dialog.state == STEM_DIALOG_CALLING) {
            dialog.state = STEM_DIALOG_EARLY;
        }
        note_reliable(message, dialog, transaction);
    }
}

// A 2xx. After a failure it is the one that crossed a CANCEL: the caller will acknowledge it, and hang up.
void Monitor::Machine::on_answer(const sip::Message& message, Call& call, Transaction& transaction) {
    const bool revived = call.state == CallState::failed && transaction.cancelled;
    if (call.state != CallState::going && !revived) {
        return;
    }
    Dialog& dialog = dialog_for(call, message.to_tag);
    const bool again = revived && dialog.state == STEM_DIALOG_DEAD && dialog.answered_ns == 0;
    if (dialog.state != STEM_DIALOG_CALLING && dialog.state != STEM_DIALOG_EARLY && !again) {
        return;
    }
    call.state = CallState::going;
    if (call.dead_since_ns != 0) { // its other dialogs are over
        lingering_.erase({call.dead_since_ns, call.id});
        call.dead_since_ns = 0;
    }
    dialog.state = STEM_DIALOG_ANSWERED;
    dialog.answered_ns = now_ns_;
    totals_.calls_answered++;
    bound_duration(call, dialog);
    tell(call, sm::Link::CallEvent::State::answered);
    if (!revived) {
        learn_media(call, dialog); // it may have rung for long, and many phones send only now
    }
    spdlog::info("call {:x} {} -> {}: answered", dialog.id, call.caller, call.callee);
    set_timer(settings_.linger, Alarm::unacknowledged, call.id, dialog.id);
    // Other branches may still answer for a while (13.2.2.4).
    set_timer(settings_.linger, Alarm::forks, call.id, 0);
}

void Monitor::Machine::on_failure(const sip::Message& message, Call& call) {
    const bool answered = std::ranges::any_of(call.dialogs, [](const Dialog& dialog) {
        return dialog.answered_ns != 0 && dialog.state != STEM_DIALOG_DEAD;
    });
    if (answered) {
        return; // another leg's failure, after one said yes
    }
    call.failed_legs.insert(message.vias.front().branch);
    if (call.failed_legs.size() < call.legs.size()) {
        return; // another leg still rings
    }
    spdlog::info("call {:x} {} -> {}: failed with {}", call.id, call.caller, call.callee, message.status);
    call.state = CallState::failed;
    call.end_cause = fmt::format("failed with {}", message.status);
    for (auto& dialog : call.dialogs) {
        end(call, dialog, now_ns_, {});
    }
    bury_when_over(call);
}

void Monitor::Machine::note_reliable(const sip::Message& message, Dialog& dialog,
                                     const Transaction& transaction) {
    if (!message.rseq) {
        return;
    }
    const auto known = [&](const Reliable& response) {
        return response.rseq == *message.rseq && response.cseq == message.cseq;
    };
    if (std::ranges::any_of(dialog.reliable, known)) {
        return; // repeated until its PRACK comes (RFC 3262 3)
    }
    if (dialog.reliable.size() == reliable_kept) {
        dialog.reliable.erase(dialog.reliable.begin());
    }
    dialog.reliable.push_back({.rseq = *message.rseq, .cseq = message.cseq, .asker = transaction.party});
}

void Monitor::Machine::on_dialog_response(const sip::Message& message, Call& call, Dialog& dialog,
                                          Transaction& transaction) {
    if (is_provisional(message.status)) {
        if (transaction.method == sip::Method::invite) {
            note_reliable(message, dialog, transaction);
            call.ring_until_ns = now_ns_ + ns_of(settings_.ring_timeout);
            transaction.expires_ns = std::max(transaction.expires_ns, call.ring_until_ns);
        }
        return;
    }
    if (transaction.method == sip::Method::bye) {
        if (!asks_for_credentials(message.status)) {
            end(call, dialog, now_ns_ + ns_of(settings_.close_grace), "ended by BYE");
        } else if (dialog.state == STEM_DIALOG_CLOSING) { // the other side asks whose BYE that is
            dialog.state = dialog.answered_ns != 0 ? STEM_DIALOG_UP : STEM_DIALOG_EARLY;
            remember(call, dialog);
            watch_silence(call, dialog, settings_.silence);
        }
        return;
    }
    if (transaction.method == sip::Method::prack && transaction.rack && is_success(message.status)) {
        std::erase_if(dialog.reliable, [&](const Reliable& response) {
            return response.rseq == transaction.rack->rseq && response.cseq == transaction.rack->cseq;
        });
        settle_preview(call, dialog, transaction.rack->cseq);
    }
    if (transaction.method == sip::Method::invite) {
        if (is_success(message.status)) {
            dialog.changed_ns = now_ns_;
            settle_preview(call, dialog, message.cseq); // its PRACK went another way
        } else if (dialog.preview && dialog.preview->cseq == message.cseq) {
            dialog.preview.reset(); // the session stays as it was (14.1)
        }
    }
}

// Is there another offer in the dialog that is not answered yet (RFC 3264 4)? Both sides' stacks answer 491
// to the second (RFC 3261 14.2, RFC 3311 5.2); one that does not must not move media here.
bool Monitor::Machine::is_glare(const Call& call, Dialog& dialog, const std::string& own_key) {
    std::erase_if(dialog.offers, [&](const std::string& key) { return key != own_key && !is_pending(key); });
    const auto first = std::ranges::find_if(dialog.offers, [&](const std::string& key) {
        const Transaction* transaction = transactions_.find(key);
        return transaction != nullptr &&
               (key == own_key || !dialog.preview || dialog.preview->cseq != transaction->cseq);
    });
    const bool unanswered_invite = dialog.state == STEM_DIALOG_EARLY && call.offer &&
                                   dialog.media[STEM_CALLER].empty() && dialog.media[STEM_CALLEE].empty();
    return unanswered_invite || (first != dialog.offers.end() && *first != own_key);
}

void Monitor::Machine::settle_preview(Call& call, Dialog& dialog, std::uint32_t cseq) {
    if (!dialog.preview || dialog.preview->cseq != cseq) {
        return;
    }
    const Preview preview = std::move(*dialog.preview);
    dialog.preview.reset();
    agree(call, dialog, preview.offerer, preview.offer, preview.answer);
}

// The session description of a response, by the patterns of RFC 6337 2. Gives whether the dialog's media were
// agreed on, and so remembered.
bool Monitor::Machine::negotiate(const sip::Message& message, Call& call, Dialog& dialog,
                                 Transaction& transaction, const std::vector<stem_media>& session) {
    const bool first_invite = transaction.method == sip::Method::invite && transaction.callee_tag.empty();
    const bool final = is_success(message.status);
    const bool reliable = final || message.rseq.has_value();
    const stem_party answerer = other_party(transaction.party);
    if (transaction.method == sip::Method::invite && !transaction.offer) {
        // An offer: in the first reliable response (RFC 3261 13.2.1), once.
        if (reliable && dialog.settled_invite != message.cseq) {
            dialog.response_offer = {.by = answerer, .media = session, .cseq = message.cseq};
        }
        return false;
    }
    if (!transaction.offer) {
        return false;
    }
    if (first_invite) { // early media begin with the first answer, reliable or not
        agree(call, dialog, transaction.party, *transaction.offer, session);
        return true;
    }
    if (!final) {
        if (reliable && transaction.method == sip::Method::invite) {
            dialog.preview = Preview{.cseq = message.cseq,
                                     .offerer = transaction.party,
                                     .offer = *transaction.offer,
                                     .answer = session};
        }
        return false; // a re-INVITE moves nothing before it is accepted: it may still fail (14.1)
    }
    const stem_direction direction =
        transaction.party == STEM_CALLER ? call.direction : opposite(call.direction);
    if (is_glare(call, dialog, Transactions::key_of(message, direction))) {
        egress_.count(STEM_SIP_STATE, opposite(direction));
        spdlog::warn("call {:x}: {} {} answers an offer while another is open: media stay where they are",
                     dialog.id, message.status, message.method_name);
        return false;
    }
    agree(call, dialog, transaction.party, *transaction.offer, session);
    return true;
}

// RFC 4028 7.2 and 9: a 2xx to INVITE or UPDATE says how long the session lives now; one that says nothing
// ends the watch.
void Monitor::Machine::refresh_session(const sip::Message& message, Call& call, Dialog& dialog) {
    if (message.method != sip::Method::invite && message.method != sip::Method::update) {
        return;
    }
    dialog.refreshed_ns = now_ns_;
    dialog.session_seconds =
        message.session_expires ? std::max(*message.session_expires, min_session_seconds) : 0;
    watch_session(call, dialog);
}

} // namespace stem::call
