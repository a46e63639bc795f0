// SPDX-License-Identifier: Apache-2.0
// Offers and answers become pinholes.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"
#include "ctl/call/media_policy.h"

namespace stem::call {

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

// Both sides have spoken: what they agreed on replaces what was. New pinholes open first; old ones stay for a
// while, because media of the old session is still on its way.
void Monitor::Machine::agree(Call& call, Dialog& dialog, stem_party offerer,
                             const std::vector<stem_media>& offer, const std::vector<stem_media>& answer) {
    dialog.media[offerer] = offer;
    dialog.media[other_party(offerer)] = answer;
    dialog.changed_ns = now_ns_;
    const Flows wanted = flows_between(dialog.media[STEM_CALLER], dialog.media[STEM_CALLEE], call.direction,
                                       dialog.id, now_ns_);
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
    pinholes_.close(dialog.id, close_at_ns);
    records_.erase(dialog.id);
    if (!why.empty()) {
        spdlog::info("call {:x} {} -> {}: {}", dialog.id, call.caller, call.callee, why);
    }
    bury_when_over(call);
}

// A call without a living dialog lingers for 64*T1, to absorb what is repeated, and is then forgotten.
void Monitor::Machine::bury_when_over(Call& call) {
    const bool over = call.state == CallState::refused || call.state == CallState::ignored ||
                      std::ranges::all_of(call.dialogs, [](const Dialog& dialog) {
                          return dialog.state == STEM_DIALOG_DEAD;
                      });
    if (over && call.dead_since_ns == 0) {
        call.dead_since_ns = now_ns_;
        set_timer(settings_.linger, Alarm::burial, call.id, call.serial);
    }
}

} // namespace stem::call
