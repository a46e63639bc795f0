// SPDX-License-Identifier: Apache-2.0
// What the data plane tells of media: a peer behind NAT was learned, a stream was lowered or ended. And what
// it may carry at all: calls are admitted as long as what they announce fits.
#include <spdlog/spdlog.h>
#include <stem/reason.h>

#include <algorithm>

#include "ctl/call/machine.h"
#include "ctl/call/media_policy.h"

namespace stem::call {
namespace {

constexpr std::uint64_t octets_per_kbit = 125;

Endpoint source_of(const stem_flow_key& key) {
    return {.address = Address(key.src), .port = key.sport};
}

Endpoint destination_of(const stem_flow_key& key) {
    return {.address = Address(key.dst), .port = key.dport};
}

stem_flow_key reversed(const stem_flow_key& key) {
    stem_flow_key back = key;
    std::swap(back.src, back.dst);
    std::swap(back.sport, back.dport);
    back.direction = static_cast<std::uint8_t>(opposite(static_cast<stem_direction>(key.direction)));
    return back;
}

} // namespace

// The answer is not known yet: it may at most be as large as the offer, each way.
bool Monitor::Machine::has_room_for_media(const Call& call) {
    const std::uint64_t room = flows_.total_kbps() * octets_per_kbit;
    if (room == 0 || !call.offer) {
        return true;
    }
    const std::uint64_t more = reserved_ + announced_rate(*call.offer);
    return pinholes_.announced(STEM_INBOUND) + more <= room &&
           pinholes_.announced(STEM_OUTBOUND) + more <= room;
}

void Monitor::Machine::reserve(Call& call) {
    give_back(call);
    call.reserved = call.offer ? announced_rate(*call.offer) : 0;
    reserved_ += call.reserved;
}

void Monitor::Machine::give_back(Call& call) {
    reserved_ -= call.reserved;
    call.reserved = 0;
}

std::pair<Call*, Dialog*> Monitor::Machine::dialog_of(std::uint64_t id) {
    if (Call* call = call_of(id); call != nullptr) { // the first dialog has its call's id
        for (Dialog& dialog : call->dialogs) {
            if (dialog.id == id) {
                return {call, &dialog};
            }
        }
    }
    for (const auto& [key, call] : calls_) {
        for (Dialog& dialog : call->dialogs) {
            if (dialog.id == id) {
                return {call.get(), &dialog};
            }
        }
    }
    return {nullptr, nullptr};
}

void Monitor::Machine::heed(const stem_notice& notice, std::uint64_t now_ns) {
    now_ns_ = now_ns;
    switch (notice.kind) {
    case STEM_NOTICE_LEARNED:
        learned(notice);
        break;
    case STEM_NOTICE_LOWERED:
        totals_.streams_lowered++;
        spdlog::warn("call {:x}: media {} -> {} lowered: {}", notice.dialog,
                     source_of(notice.key).to_string(), destination_of(notice.key).to_string(),
                     label_of(static_cast<stem_reason>(notice.reason)));
        break;
    case STEM_NOTICE_ENDED:
        ended(notice);
        break;
    default:
        break;
    }
    pinholes_.run(now_ns_);
}

// Enters where the peer is into its line. False: nothing of the dialog is to be learned there.
bool Monitor::Machine::learn(const Call& call, Dialog& dialog, const stem_flow_key& key) {
    const bool by_caller = static_cast<stem_direction>(key.direction) == call.direction;
    auto& peers = dialog.media[by_caller ? STEM_CALLER : STEM_CALLEE];
    const auto& locals = dialog.media[by_caller ? STEM_CALLEE : STEM_CALLER];
    bool learned = false;
    // All lines of a bundle are at one place (RFC 9143 9).
    for (std::size_t i = 0; i < std::min(peers.size(), locals.size()); i++) {
        stem_media& peer = peers[i];
        if ((peer.flags & STEM_MEDIA_BEHIND_NAT) == 0 || Address(locals[i].address) != Address(key.dst)) {
            continue;
        }
        if (locals[i].rtp_port == key.dport) {
            peer.learned = key.src;
            peer.learned_rtp_port = key.sport;
            peer.flags |= STEM_MEDIA_RTP_LEARNED;
            learned = true;
        } else if (locals[i].rtcp_port == key.dport) {
            if ((peer.flags & STEM_MEDIA_RTP_LEARNED) == 0) {
                peer.learned = key.src;
            }
            peer.learned_rtcp_port = key.sport;
            peer.flags |= STEM_MEDIA_RTCP_LEARNED;
            learned = true;
        }
    }
    return learned;
}

void Monitor::Machine::learned(const stem_notice& notice) {
    const auto [call, dialog] = dialog_of(notice.dialog);
    if (dialog == nullptr || dialog->state == STEM_DIALOG_DEAD || !learn(*call, *dialog, notice.key)) {
        // Over meanwhile: what the data plane opened belongs to nobody.
        for (const auto& key : {notice.key, reversed(notice.key)}) {
            if (const auto flow = flows_.get(key);
                flow && flow->dialog == notice.dialog && !pinholes_.holds(key)) {
                flows_.erase(key);
            }
        }
        return;
    }
    totals_.peers_learned++;
    spdlog::info("call {:x}: the peer of {} is behind NAT, and sends from {}", notice.dialog,
                 destination_of(notice.key).to_string(), source_of(notice.key).to_string());
    open_media(*call, *dialog, now_ns_);
    remember(*call, *dialog);
}

// The pinhole closes, and stays closed until the call negotiates anew.
void Monitor::Machine::ended(const stem_notice& notice) {
    totals_.streams_ended++;
    const std::string source = source_of(notice.key).to_string();
    const std::string destination = destination_of(notice.key).to_string();
    const std::string_view cause = label_of(static_cast<stem_reason>(notice.reason));
    const auto [call, dialog] = dialog_of(notice.dialog);
    if (dialog == nullptr || dialog->state == STEM_DIALOG_DEAD) {
        return;
    }
    spdlog::warn("call {:x} {} -> {}: media {} -> {} ended: {}", dialog->id, call->caller, call->callee,
                 source, destination, cause);
    sm_.report({.caller = call->caller,
                .callee = call->callee,
                .call_id = call->call_id,
                .source = source_of(notice.key),
                .destination = destination_of(notice.key),
                .cause = std::string(cause),
                .call_ended = settings_.end_call_on_excess});
    if (settings_.end_call_on_excess) {
        cut(*call, *dialog, "ended for the excess of its media");
        return;
    }
    const bool to_callee = static_cast<stem_direction>(notice.key.direction) == call->direction;
    const auto& caller = dialog->media[STEM_CALLER];
    const auto& callee = dialog->media[STEM_CALLEE];
    auto& receivers = dialog->media[to_callee ? STEM_CALLEE : STEM_CALLER];
    const std::size_t lines = std::min(caller.size(), callee.size());
    if (const auto flow = flows_.get(notice.key); flow && flow->media_index < lines) {
        for (std::size_t line = 0; line < lines; line++) { // another would open it again
            if (share_pinhole(caller, callee, line, flow->media_index)) {
                receivers[line].flags |= STEM_MEDIA_ENDED;
            }
        }
        open_media(*call, *dialog, now_ns_);
        remember(*call, *dialog);
    }
}

// What the data plane locked, and no notice told of.
bool Monitor::Machine::catch_up(const Call& call, Dialog& dialog) {
    bool any = false;
    const Learnings wanted = learnings_between(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE],
                                               call.direction, dialog.id, now_ns_, 0, settings_.nat_networks);
    for (const auto& [key, entry] : wanted) {
        const auto there = flows_.get_learning(key);
        if (entry.locked_ns != 0 || !there || there->dialog != dialog.id || there->locked_ns == 0) {
            continue;
        }
        stem_flow_key from{};
        from.src = there->candidate;
        from.sport = there->candidate_port;
        from.dst = key.local;
        from.dport = key.port;
        from.direction = key.direction;
        any = learn(call, dialog, from) || any;
    }
    return any;
}

void Monitor::Machine::look_around(std::uint64_t now_ns) {
    now_ns_ = now_ns;
    for (const auto& [key, call] : calls_) {
        for (Dialog& dialog : call->dialogs) {
            if (dialog.state != STEM_DIALOG_DEAD && catch_up(*call, dialog)) {
                open_media(*call, dialog, now_ns_);
                remember(*call, dialog);
            }
        }
    }
    std::vector<stem_notice> ends;
    flows_.for_each([&](const stem_flow_key& key, const stem_flow& flow) {
        if ((flow.state & STEM_STREAM_ENDED) != 0) {
            stem_notice notice{};
            notice.dialog = flow.dialog;
            notice.key = key;
            notice.kind = STEM_NOTICE_ENDED;
            notice.reason = STEM_FLOW_ENDED;
            ends.push_back(notice);
        }
    });
    for (const auto& notice : ends) {
        heed(notice, now_ns);
    }
}

} // namespace stem::call
