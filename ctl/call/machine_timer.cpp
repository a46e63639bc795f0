// SPDX-License-Identifier: Apache-2.0
// What happens because time goes by.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr std::chrono::minutes longest_watch{10};
constexpr std::chrono::seconds talks_within{10}; // a side whose media were seen in this time is alive

} // namespace

void Monitor::Machine::set_timer(std::chrono::nanoseconds after, Alarm alarm, std::uint64_t call,
                                 std::uint64_t serial) {
    timers_.add(now_ns_ + ns_of(after), {.alarm = alarm, .call = call, .serial = serial});
}

void Monitor::Machine::tick(std::uint64_t now_ns) {
    now_ns_ = now_ns;
    while (const auto due = timers_.take_due(now_ns)) {
        ring(*due);
    }
    pinholes_.run(now_ns);
    transactions_.erase_expired(now_ns);
    forget_registrations();
}

// Timers are never taken back: each looks whether its cause still stands.
void Monitor::Machine::ring(const Timer& timer) {
    if (timer.alarm == Alarm::cut) {
        std::erase_if(cut_, [&](const auto& entry) { return entry.second <= now_ns_; });
        return;
    }
    Call* call = call_of(timer.call);
    if (call == nullptr) {
        return;
    }
    const bool still_held = call->state == CallState::held && call->serial == timer.serial;
    const auto found = std::ranges::find(call->dialogs, timer.serial, &Dialog::id);
    Dialog* dialog = found == call->dialogs.end() ? nullptr : &*found;
    switch (timer.alarm) {
    case Alarm::trying:
        if (still_held) {
            call->trying_sent = true;
            const auto& [packet, message] = *call->held;
            egress_.reply(packet, sip::make_response(packet.payload, message, 100, sip::phrase_of(100), {}));
        }
        return;
    case Alarm::decision:
        if (still_held) {
            refuse(*call, 503, {}, STEM_SM_TIMEOUT, "no decision in time");
        }
        return;
    case Alarm::unheard:
    case Alarm::ringing:
        ring_out(*call, timer);
        return;
    case Alarm::session:
        if (dialog != nullptr) {
            dialog->session_watched = false;
            check_session(*call, *dialog);
        }
        return;
    case Alarm::suspected:
        if (dialog != nullptr) {
            judge_suspected(*call, *dialog);
        }
        return;
    case Alarm::unacknowledged:
        if (dialog == nullptr || dialog->state != STEM_DIALOG_ANSWERED) {
            return;
        }
        // The ACK may take another path. Media that flow show that the caller has the answer.
        if (pinholes_.last_seen_ns(dialog->id) > dialog->answered_ns) {
            dialog->state = STEM_DIALOG_UP;
            remember(*call, *dialog);
            watch_silence(*call, *dialog, settings_.silence);
        } else {
            cut(*call, *dialog, "answered, but never acknowledged");
        }
        return;
    case Alarm::silence:
        if (dialog != nullptr) {
            dialog->silence_watched = false;
            if (dialog->state == STEM_DIALOG_UP) {
                check_silence(*call, *dialog);
            }
        }
        return;
    case Alarm::closing:
        if (dialog != nullptr && dialog->state == STEM_DIALOG_CLOSING) {
            end(*call, *dialog, now_ns_, "BYE, and no answer to it");
        }
        return;
    case Alarm::forks:
        for (auto& each : call->dialogs) {
            if (each.state == STEM_DIALOG_CALLING || each.state == STEM_DIALOG_EARLY) {
                end(*call, each, now_ns_, {});
            }
        }
        return;
    case Alarm::burial:
        if (call->dead_since_ns != 0 && call->dead_since_ns + ns_of(settings_.linger) <= now_ns_) {
            forget(*call);
        }
        return;
    case Alarm::answers:
        if (dialog != nullptr) {
            check_answers(*call, *dialog);
        }
        return;
    case Alarm::duration:
        if (dialog != nullptr && dialog->state != STEM_DIALOG_DEAD && dialog->ends_ns != 0 &&
            dialog->ends_ns <= now_ns_) {
            cut(*call, *dialog, "it lasted for as long as the Security Manager allows");
        }
        return;
    case Alarm::cut:
        return;
    }
}

// One timer is enough, however often the dialog comes up: a callee may ask for credentials at each BYE.
void Monitor::Machine::watch_silence(const Call& call, Dialog& dialog, std::chrono::nanoseconds after) {
    if (!std::exchange(dialog.silence_watched, true)) {
        set_timer(after, Alarm::silence, call.id, dialog.id);
    }
}

// No media in either direction for the interval: the call is over, whatever its ends believe. A call on hold
// sends nothing, nor does its holder without music, and is left alone.
void Monitor::Machine::check_silence(Call& call, Dialog& dialog) {
    bool open[STEM_DIRECTIONS] = {false, false};
    for (const auto& key : pinholes_.keys_of(dialog.id)) {
        const auto flow = flows_.get(key);
        open[key.direction] = open[key.direction] || (flow && flow->kind != STEM_FLOW_RTCP);
    }
    const bool media_expected = open[STEM_INBOUND] && open[STEM_OUTBOUND];
    const std::uint64_t signs = // of anybody there
        std::max({pinholes_.last_seen_ns(dialog.id), dialog.answered_ns, dialog.changed_ns, dialog.heard_ns});
    if (!media_expected && signs + ns_of(settings_.idle) <= now_ns_) {
        totals_.calls_silent++;
        cut(call, dialog, "no sign of life for the idle interval");
        return;
    }
    const std::uint64_t last =
        std::max({pinholes_.last_seen_ns(dialog.id), dialog.answered_ns, dialog.changed_ns});
    const std::uint64_t deadline = last + ns_of(settings_.silence);
    if (media_expected && deadline <= now_ns_) {
        totals_.calls_silent++;
        cut(call, dialog, "no media for the silence interval");
        return;
    }
    const std::uint64_t wait = deadline > now_ns_ ? deadline - now_ns_ : ns_of(settings_.silence);
    watch_silence(call, dialog, std::chrono::nanoseconds(wait));
}

// Nobody answered: not even with a 100 in the time that a client waits for it (timer B: 17.1.1.2), or not
// with a final response in that of a proxy (timer C: 16.8).
void Monitor::Machine::ring_out(Call& call, const Timer& timer) {
    const bool rings = call.state == CallState::going && call.serial == timer.serial &&
                       std::ranges::none_of(call.dialogs, [](const Dialog& dialog) {
                           return dialog.state == STEM_DIALOG_ANSWERED || dialog.state == STEM_DIALOG_UP ||
                                  dialog.state == STEM_DIALOG_CLOSING;
                       });
    if (!rings) {
        return;
    }
    if (timer.alarm == Alarm::unheard) {
        const bool heard = std::ranges::any_of(call.legs, [&](const std::string& branch) {
            sip::Message invite;
            invite.vias.push_back({.transport = {}, .host = {}, .port = 0, .branch = branch});
            invite.call_id = call.call_id;
            invite.cseq = call.cseq;
            const Transaction* transaction =
                transactions_.find(Transactions::key_of_invite(invite, call.direction));
            return transaction == nullptr || transaction->heard || transaction->final_status != 0;
        });
        if (heard) {
            return;
        }
    } else if (call.ring_until_ns > now_ns_) {
        set_timer(std::chrono::nanoseconds(call.ring_until_ns - now_ns_), Alarm::ringing, call.id,
                  call.serial);
        return;
    }
    for (auto& each : call.dialogs) {
        end(call, each, now_ns_, "nobody answered");
    }
}

// Timers are never taken back: so one that runs for hours is set anew every few minutes.
void Monitor::Machine::watch_session(Call& call, Dialog& dialog) {
    if (dialog.session_seconds == 0 || dialog.session_watched) {
        return;
    }
    const std::uint64_t due_ns =
        dialog.refreshed_ns + ns_of(std::chrono::seconds(dialog.session_seconds)) + ns_of(settings_.linger);
    const std::uint64_t wait_ns = due_ns > now_ns_ ? due_ns - now_ns_ : 0;
    dialog.session_watched = true;
    set_timer(std::min(std::chrono::nanoseconds(wait_ns), std::chrono::nanoseconds(longest_watch)),
              Alarm::session, call.id, dialog.id);
}

// RFC 4028 10: nobody refreshed the session, and whoever noticed should have said BYE. Media of both sides
// show that the refresh went another way.
void Monitor::Machine::check_session(Call& call, Dialog& dialog) {
    const bool running = dialog.state == STEM_DIALOG_UP || dialog.state == STEM_DIALOG_ANSWERED;
    if (!running || dialog.session_seconds == 0) {
        return;
    }
    const std::uint64_t due_ns =
        dialog.refreshed_ns + ns_of(std::chrono::seconds(dialog.session_seconds)) + ns_of(settings_.linger);
    if (due_ns <= now_ns_) {
        const std::uint64_t last_ns = std::min(pinholes_.last_seen_ns(dialog.id, STEM_INBOUND),
                                               pinholes_.last_seen_ns(dialog.id, STEM_OUTBOUND));
        if (last_ns + ns_of(talks_within) <= now_ns_) {
            totals_.calls_expired++;
            spdlog::warn("call {:x} {} -> {}: its session of {} s was not refreshed", dialog.id, call.caller,
                         call.callee, dialog.session_seconds);
            cut(call, dialog, "its session expired");
            return;
        }
        dialog.refreshed_ns =
            now_ns_ - ns_of(std::chrono::seconds(dialog.session_seconds)); // asked again in 32 s
    }
    watch_session(call, dialog);
}

void Monitor::Machine::forget(Call& call) {
    give_back(call);
    tell_end(call);
    for (const auto& dialog : call.dialogs) {
        let_byes_go(dialog.id);
        pinholes_.close(dialog.id, now_ns_);
        records_.erase(dialog.id);
    }
    lingering_.erase({call.dead_since_ns, call.id});
    by_id_.erase(call.id);
    const auto [first, last] = calls_.equal_range(call.key);
    calls_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second.get() == &call; }));
}

} // namespace stem::call
