// SPDX-License-Identifier: Apache-2.0
// Offers and answers become pinholes.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"
#include "ctl/call/media_policy.h"
#include "ctl/sdp/bundle.h"

namespace stem::call {
namespace {

bool is_relay(const stem_addr& place, const Settings& settings) {
    return std::ranges::any_of(settings.media_relays, [address = Address(place)](const Cidr& relays) {
        return relays.contains(address);
    });
}

// Of a line only what leads to a relay.
void keep_relays(stem_media& line, const Settings& settings) {
    if (!is_relay(line.address, settings)) {
        line.rtp_port = 0;
    }
    auto* const end = line.candidate + line.candidate_count;
    auto* const kept = std::remove_if(
        line.candidate, end, [&](const stem_candidate& each) { return !is_relay(each.address, settings); });
    std::fill(kept, end, stem_candidate{});
    line.candidate_count = static_cast<std::uint8_t>(kept - line.candidate);
}

// Where an offer or an answer can be (RFC 3264, 3311, 3262). What other messages carry is theirs.
bool may_carry_session(sip::Method method) {
    return method == sip::Method::invite || method == sip::Method::ack || method == sip::Method::prack ||
           method == sip::Method::update;
}

// Both parties' requests give the same one.
std::string cut_key(std::string_view call_id, std::string_view tag, std::string_view other_tag) {
    return fmt::format("{}\n{}\n{}", call_id, std::min(tag, other_tag), std::max(tag, other_tag));
}

} // namespace

// Reads the session description of a message that `party` sent. Without a call (its INVITE) only what is
// forbidden to all is refused.
Monitor::Machine::Described Monitor::Machine::describe(const Packet& packet, const sip::Message& message,
                                                       const Call* call, stem_party party) {
    if (!may_carry_session(message.method) || !message.has_sdp()) {
        return {};
    }
    if (!message.sdp_fault.empty()) {
        return {.sdp = Sdp::malformed, .media = {}, .what = message.sdp_fault};
    }
    auto session = sdp::parse(message.sdp_of(packet.payload), settings_.sdp);
    if (!session) {
        return {.sdp = Sdp::malformed, .media = {}, .what = session.error().what};
    }
    MediaBounds bounds;
    if (call != nullptr && party == STEM_CALLEE) {
        bounds.terminals = call->terminals;
    }
    if (packet.direction == STEM_INBOUND) {
        bounds.signalled = &packet.source.address;
    }
    if (auto refusal = refuse_media(*session, bounds, settings_); refusal) {
        return {.sdp = Sdp::refused, .media = {}, .what = *refusal};
    }
    drop_candidates(*session, bounds, settings_);
    auto media = media_of(*session);
    if (packet.direction == STEM_INBOUND) { // the inside is ours, and its addresses are what it says
        mark_nat(media, packet.source.address, settings_);
    }
    return {.sdp = Sdp::usable, .media = std::move(media), .what = {}};
}

// A call that a proxy inside sends out again crosses us twice, under the same Call-ID and tags. Its inside
// party is then the image of one outside, and where that one's media are is an outsider's word: it must open
// no way to an inside host. Media of such a call pass here only by a relay.
bool Monitor::Machine::is_image(const Call& call, const Dialog& dialog) const {
    const auto [first, last] =
        calls_.equal_range(call_key(opposite(call.direction), call.call_id, call.caller_tag));
    return std::any_of(first, last, [&](const auto& entry) {
        const Call& other = *entry.second;
        if (other.state != CallState::going && other.state != CallState::failed) {
            return false; // it never went on
        }
        return call.direction == STEM_OUTBOUND ||
               (!dialog.tag.empty() &&
                std::ranges::find(other.dialogs, dialog.tag, &Dialog::tag) != other.dialogs.end());
    });
}

// Both sides have spoken: what they agreed on replaces what was. New pinholes open first; old ones stay for a
// while, because media of the old session is still on its way.
void Monitor::Machine::agree(Call& call, Dialog& dialog, stem_party offerer,
                             const std::vector<stem_media>& offer, const std::vector<stem_media>& answer) {
    const std::vector<stem_media> before[STEM_PARTIES] = {dialog.media[STEM_CALLER],
                                                          dialog.media[STEM_CALLEE]};
    dialog.media[offerer] = offer;
    dialog.media[other_party(offerer)] = answer;
    dialog.changed_ns = now_ns_;
    sdp::share_bundles(dialog.media[offerer], dialog.media[other_party(offerer)]);
    keep_learned(before, dialog);
    if (is_image(call, dialog)) {
        const stem_party inside = call.direction == STEM_INBOUND ? STEM_CALLEE : STEM_CALLER;
        for (auto& line : dialog.media[inside]) {
            keep_relays(line, settings_);
        }
    }
    give_back(call);
    open_media(call, dialog, now_ns_ + ns_of(settings_.change_grace));
    watch_answers(call, dialog, now_ns_);
    remember(call, dialog);
}

// A learned peer stays learned until either end describes another place (RFC 3264 8.3.1), and so does what is
// cut.
void Monitor::Machine::keep_learned(const std::vector<stem_media> (&before)[STEM_PARTIES], Dialog& dialog) {
    for (const auto party : {STEM_CALLER, STEM_CALLEE}) {
        const auto& other = dialog.media[other_party(party)];
        const auto& other_before = before[other_party(party)];
        const std::size_t lines =
            std::min({dialog.media[party].size(), before[party].size(), other.size(), other_before.size()});
        for (std::size_t i = 0; i < lines; i++) {
            stem_media& line = dialog.media[party][i];
            const stem_media& was = before[party][i];
            if (is_same_place(line, was)) { // saying it again is no answer (machine_unanswered.cpp)
                line.flags |= was.flags & STEM_MEDIA_CUT;
            }
            if ((line.flags & was.flags & STEM_MEDIA_BEHIND_NAT) == 0 || !is_same_place(line, was) ||
                !is_same_place(other[i], other_before[i])) {
                continue;
            }
            line.flags |= was.flags & (STEM_MEDIA_RTP_LEARNED | STEM_MEDIA_RTCP_LEARNED);
            if ((was.flags & STEM_MEDIA_RTP_LEARNED) != 0) {
                line.learned = was.learned;
            }
            line.learned_rtp_port = was.learned_rtp_port;
            line.learned_rtcp_port = was.learned_rtcp_port;
        }
    }
}

// The dialog's pinholes as its media are now; what is to be learned, too.
// The signalling stream of whoever sends that way: media stop with their sender's signalling.
std::uint64_t Monitor::Machine::stream_towards(const Call& call, unsigned direction) {
    return call.stream[direction == call.direction ? STEM_CALLER : STEM_CALLEE];
}

void Monitor::Machine::open_media(const Call& call, const Dialog& dialog, std::uint64_t close_at_ns) {
    const auto& caller = dialog.media[STEM_CALLER];
    const auto& callee = dialog.media[STEM_CALLEE];
    Flows flows = flows_between(caller, callee, call.direction, dialog.id, now_ns_);
    for (auto& [key, flow] : flows) {
        flow.stream = stream_towards(call, key.direction);
    }
    pinholes_.replace(dialog.id, flows, close_at_ns);
    learn_media(call, dialog);
}

// Opens the window, or opens it anew where nothing is learned yet.
void Monitor::Machine::learn_media(const Call& call, const Dialog& dialog) {
    Learnings learnings =
        learnings_between(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE], call.direction, dialog.id,
                          now_ns_, ns_of(settings_.learning_window), settings_.nat_networks);
    for (auto& [key, learning] : learnings) {
        learning.in.stream = stream_towards(call, key.direction);
        learning.out.stream =
            stream_towards(call, key.direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND);
    }
    pinholes_.replace(dialog.id, learnings);
}

void Monitor::Machine::answer_response_offer(Call& call, Dialog& dialog, const Described& answer) {
    if (answer.sdp != Sdp::usable) {
        return;
    }
    const ResponseOffer offer = std::move(*dialog.response_offer);
    dialog.response_offer.reset();
    agree(call, dialog, offer.by, offer.media, answer.media);
}

// A dialog is over: its pinholes close at `close_at_ns`, its record goes.
void Monitor::Machine::end(Call& call, Dialog& dialog, std::uint64_t close_at_ns, std::string_view why) {
    if (dialog.state == STEM_DIALOG_DEAD) {
        return;
    }
    dialog.state = STEM_DIALOG_DEAD;
    let_byes_go(dialog.id);
    observer_->call_over(dialog.id, now_ns_);
    give_back(call);
    pinholes_.close(dialog.id, close_at_ns);
    records_.erase(dialog.id);
    if (!why.empty()) {
        spdlog::info("call {:x} {} -> {}: {}", dialog.id, call.caller, call.callee, why);
        call.end_cause = why;
    }
    bury_when_over(call);
}

// Ends a dialog whose parties have not: they will, and each needs the other's BYE.
void Monitor::Machine::cut(Call& call, Dialog& dialog, std::string_view why) {
    if (!dialog.tag.empty() && cut_.size() < settings_.max_calls) {
        cut_[cut_key(call.call_id, call.caller_tag, dialog.tag)] = now_ns_ + ns_of(settings_.cut_memory);
        set_timer(settings_.cut_memory, Alarm::cut, 0, 0);
    }
    end(call, dialog, now_ns_, why);
}

bool Monitor::Machine::is_of_cut_dialog(const sip::Message& message) const {
    return message.method == sip::Method::bye &&
           cut_.contains(cut_key(message.call_id, message.from_tag, message.to_tag));
}

// A call without a living dialog lingers for 64*T1, to absorb what is repeated, and is then forgotten.
void Monitor::Machine::bury_when_over(Call& call) {
    const bool over = call.state == CallState::refused || call.state == CallState::ignored ||
                      std::ranges::all_of(call.dialogs, [](const Dialog& dialog) {
                          return dialog.state == STEM_DIALOG_DEAD;
                      });
    if (over && call.dead_since_ns == 0) {
        call.dead_since_ns = now_ns_;
        lingering_.emplace(now_ns_, call.id);
        tell_end(call);
        set_timer(settings_.linger, Alarm::burial, call.id, call.serial);
    }
}

} // namespace stem::call
