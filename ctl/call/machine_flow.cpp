// SPDX-License-Identifier: Apache-2.0
// Does a message come from where its leg signals (docs/decisions/0017)? Call-ID, tags and CSeq can be
// overheard or guessed; where the leg's answers go to cannot be helped.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {
namespace {

constexpr std::chrono::milliseconds look_again{250}; // at the media of a leg whose BYE is suspected
constexpr std::size_t byes_per_dialog = 4;
constexpr std::size_t bindings_per_user = 8;
constexpr std::uint64_t registrations_sweep_ns = 30'000'000'000;

} // namespace

Origin Monitor::Machine::origin_of(const Call& call, stem_party party, const Endpoint& source) {
    const Origin origin = call.leg[party].origin_of(source, settings_.clusters, settings_.nat_networks);
    if (origin != Origin::stranger) {
        return origin;
    }
    // Its user registered from there meanwhile: a phone that changed networks, or has several flows (RFC
    // 5626).
    const auto found = registered_.find(call.address_of_record[party]);
    if (found == registered_.end()) {
        return Origin::stranger;
    }
    Origin best = Origin::stranger;
    for (const Registered& binding : found->second) {
        if (binding.until_ns <= now_ns_ || binding.source.address != source.address) {
            continue;
        }
        if (binding.source == source) {
            return Origin::known;
        }
        best = Origin::moved;
    }
    return best;
}

// The same host, or two of which the configuration says that they stand for one another.
bool Monitor::Machine::stand_for_one(const Address& a, const Address& b) const {
    return a == b || are_together(a, b, settings_.clusters) || are_together(a, b, settings_.nat_networks);
}

// A response comes from where its request went, or from a host that its leg has shown. Its port may be
// another: where a server answers from is its own business where no NAT is in between (18.2.2).
bool Monitor::Machine::is_answerer(const Packet& packet, const Transaction& transaction, const Call* call) {
    if (stand_for_one(packet.source.address, transaction.destination.address)) {
        return true;
    }
    return call != nullptr &&
           origin_of(*call, other_party(transaction.party), packet.source) != Origin::stranger;
}

void Monitor::Machine::learn_leg(Call& call, stem_party party, const Packet& packet,
                                 const sip::Message& message) {
    LegFlow& leg = call.leg[party];
    if (origin_of(call, party, packet.source) == Origin::moved) {
        totals_.peers_moved++;
    }
    if (leg.source().address !=
        packet.source.address) { // it has more than one: what is left is still its own
        leg.learn_hop(leg.source().address);
    }
    leg.learn(packet.source);
    leg.learn_hops(message);
}

// A9 of the field notes: it waits while its leg's media go on, and goes through when they have stopped. Who
// hangs up stops to send; whom somebody else wants to hang up does not.
void Monitor::Machine::suspect_bye(Packet packet, const sip::Message& message, const Place& place) {
    const Dialog& dialog = *place.dialog;
    auto& waiting = suspected_[dialog.id];
    const std::string& branch = message.vias.front().branch;
    if (std::ranges::any_of(waiting, [&](const WaitingBye& bye) {
            return bye.message.vias.front().branch == branch && bye.message.cseq == message.cseq;
        })) {
        absorb(std::move(packet), "BYE repeated while it waits");
        return;
    }
    const std::string what =
        fmt::format("BYE from {}, but that leg signals from {}", packet.source.to_string(),
                    place.call->leg[place.party].source().to_string());
    if (waiting.size() >= byes_per_dialog || byes_waiting_ + held_ >= settings_.max_held ||
        is_only_monitored(packet)) {
        if (waiting.empty()) {
            suspected_.erase(dialog.id);
        }
        totals_.byes_refused++;
        reject(std::move(packet), &message, {STEM_SIP_FLOW, what});
        return;
    }
    spdlog::info("call {:x}: {}: it waits", dialog.id, what);
    totals_.byes_suspected++;
    byes_waiting_++;
    waiting.push_back(
        {.packet = std::move(packet), .message = message, .party = place.party, .since_ns = now_ns_});
    if (waiting.size() == 1) {
        set_timer(look_again, Alarm::suspected, place.call->id, dialog.id);
    }
}

void Monitor::Machine::judge_suspected(Call& call, Dialog& dialog) {
    const auto found = suspected_.find(dialog.id);
    if (found == suspected_.end()) {
        return;
    }
    if (dialog.state == STEM_DIALOG_CLOSING || dialog.state == STEM_DIALOG_DEAD) {
        let_byes_go(dialog.id);
        return;
    }
    auto waiting = std::move(found->second);
    found->second.clear();
    std::vector<WaitingBye> still;
    for (WaitingBye& bye : waiting) {
        const auto direction = bye.party == STEM_CALLER ? call.direction : opposite(call.direction);
        const std::uint64_t last_ns = pinholes_.last_seen_ns(dialog.id, direction);
        if (std::max(last_ns, bye.since_ns) + ns_of(settings_.bye_quiet) <= now_ns_ &&
            dialog.state != STEM_DIALOG_CLOSING) {
            byes_waiting_--;
            const Place place{.call = &call, .dialog = &dialog, .party = bye.party};
            if (auto objection = object_to(bye.message, dialog, bye.party); objection) {
                reject(std::move(bye.packet), &bye.message, *objection);
            } else {
                take_in(std::move(bye.packet), bye.message, place);
            }
        } else if (bye.since_ns + ns_of(settings_.linger) <=
                   now_ns_) { // whoever sent it has given up (timer F)
            byes_waiting_--;
            totals_.byes_refused++;
            const std::string source = bye.packet.source.to_string();
            spdlog::warn("call {:x} {} -> {}: somebody at {} tried to end it", dialog.id, call.caller,
                         call.callee, source);
            reject(std::move(bye.packet), &bye.message,
                   {STEM_SIP_FLOW, "BYE from " + source + ", but the media of that leg go on"});
        } else {
            still.push_back(std::move(bye));
        }
    }
    if (still.empty()) {
        suspected_.erase(dialog.id);
        return;
    }
    suspected_[dialog.id] = std::move(still);
    set_timer(look_again, Alarm::suspected, call.id, dialog.id);
}

// The dialog ended otherwise.
void Monitor::Machine::let_byes_go(std::uint64_t dialog_id) {
    const auto found = suspected_.find(dialog_id);
    if (found == suspected_.end()) {
        return;
    }
    for (WaitingBye& bye : found->second) {
        byes_waiting_--;
        absorb(std::move(bye.packet), "suspected BYE of a call that ended otherwise");
    }
    suspected_.erase(found);
}

void Monitor::Machine::remember_registration(const Transaction& transaction, std::uint32_t lifetime_s) {
    auto& bindings = registered_[transaction.address_of_record];
    const auto there = std::ranges::find(bindings, transaction.source, &Registered::source);
    const std::uint64_t until_ns = now_ns_ + ns_of(std::chrono::seconds(lifetime_s));
    if (there != bindings.end()) {
        there->until_ns = until_ns;
    } else if (lifetime_s > 0 && registrations_ < settings_.max_calls) {
        if (bindings.size() == bindings_per_user) {
            bindings.erase(std::ranges::min_element(bindings, {}, &Registered::until_ns));
            registrations_--;
        }
        bindings.push_back({.source = transaction.source, .until_ns = until_ns});
        registrations_++;
    }
    if (bindings.empty()) {
        registered_.erase(transaction.address_of_record);
    }
}

void Monitor::Machine::forget_registrations() {
    if (registrations_swept_ns_ + registrations_sweep_ns > now_ns_) {
        return;
    }
    registrations_swept_ns_ = now_ns_;
    registrations_ = 0;
    for (auto each = registered_.begin(); each != registered_.end();) {
        auto& bindings = each->second;
        std::erase_if(bindings, [&](const Registered& binding) { return binding.until_ns <= now_ns_; });
        registrations_ += bindings.size();
        each = bindings.empty() ? registered_.erase(each) : std::next(each);
    }
}

} // namespace stem::call
