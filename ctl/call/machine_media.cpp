// SPDX-License-Identifier: Apache-2.0
// Offers and answers become pinholes.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"
#include "ctl/call/media_policy.h"

namespace stem::call {
namespace {

bool is_relay(const stem_media& media, const Settings& settings) {
    return std::ranges::any_of(settings.media_relays, [address = Address(media.address)](const Cidr& relays) {
        return relays.contains(address);
    });
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
    if (!message.has_sdp()) {
        return {};
    }
    const auto session = sdp::parse(message.body_of(packet.payload), settings_.sdp);
    if (!session) {
        return {.sdp = Sdp::malformed, .media = {}, .what = session.error().what};
    }
    const auto bound = call != nullptr && party == STEM_CALLEE ? std::span<const Address>(call->terminals)
                                                               : std::span<const Address>();
    if (auto refusal = refuse_media(*session, bound, settings_); refusal) {
        return {.sdp = Sdp::refused, .media = {}, .what = *refusal};
    }
    return {.sdp = Sdp::usable, .media = media_of(*session), .what = {}};
}

// A call that a proxy inside sends out again crosses us twice, under the same Call-ID and tags. Its inside
// party is then the image of one outside, and where that one's media are is an outsider's word: it must open
// no way to an inside host. Media of such a call pass here only by a relay.
bool Monitor::Machine::is_image(const Call& call, const Dialog& dialog) const {
    const auto found = calls_.find(call_key(opposite(call.direction), call.call_id, call.caller_tag));
    if (found == calls_.end()) {
        return false;
    }
    const Call& other = *found->second;
    if (other.state != CallState::going && other.state != CallState::failed) {
        return false; // it never went on
    }
    return call.direction == STEM_OUTBOUND ||
           (!dialog.tag.empty() &&
            std::ranges::find(other.dialogs, dialog.tag, &Dialog::tag) != other.dialogs.end());
}

// Both sides have spoken: what they agreed on replaces what was. New pinholes open first; old ones stay for a
// while, because media of the old session is still on its way.
void Monitor::Machine::agree(Call& call, Dialog& dialog, stem_party offerer,
                             const std::vector<stem_media>& offer, const std::vector<stem_media>& answer) {
    dialog.media[offerer] = offer;
    dialog.media[other_party(offerer)] = answer;
    dialog.changed_ns = now_ns_;
    if (is_image(call, dialog)) {
        const stem_party inside = call.direction == STEM_INBOUND ? STEM_CALLEE : STEM_CALLER;
        for (auto& line : dialog.media[inside]) {
            if (!is_relay(line, settings_)) {
                line.rtp_port = 0;
            }
        }
    }
    Flows wanted = flows_between(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE], call.direction,
                                 dialog.id, now_ns_);
    for (auto& [key, flow] : wanted) { // media stop with the signalling of their sender
        flow.stream = call.stream[key.direction == call.direction ? STEM_CALLER : STEM_CALLEE];
    }
    pinholes_.replace(dialog.id, wanted, now_ns_ + ns_of(settings_.change_grace));
    remember(call, dialog);
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
    observer_->call_over(dialog.id, now_ns_);
    pinholes_.close(dialog.id, close_at_ns);
    records_.erase(dialog.id);
    if (!why.empty()) {
        spdlog::info("call {:x} {} -> {}: {}", dialog.id, call.caller, call.callee, why);
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
        set_timer(settings_.linger, Alarm::burial, call.id, call.serial);
    }
}

} // namespace stem::call
