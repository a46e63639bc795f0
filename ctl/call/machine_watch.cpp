// SPDX-License-Identifier: Apache-2.0
// What is not let through; and peers that are only monitored, of which everything is.
#include <fmt/format.h>

#include <algorithm>

#include "ctl/call/machine.h"

namespace stem::call {

// The configuration names whom it means by where he is outside.
bool Monitor::Machine::is_only_monitored(const Packet& packet) const {
    const Address& outside =
        packet.direction == STEM_INBOUND ? packet.source.address : packet.destination.address;
    return settings_.monitor_only || std::ranges::any_of(settings_.monitored_peers, [&](const Cidr& peers) {
               return peers.contains(outside);
           });
}

// `message`: null where it could not be read.
void Monitor::Machine::reject(Packet packet, const sip::Message* message, const Objection& objection) {
    if (!is_only_monitored(packet)) {
        egress_.drop(std::move(packet), objection.reason, objection.what);
        return;
    }
    totals_.would_drop++;
    if (message != nullptr && message->request && message->method != sip::Method::ack) {
        (void)begin_transaction(packet, *message, {}); // so that its responses are no offence of their own
    }
    egress_.release_monitored(std::move(packet), objection.reason, objection.what);
}

// What a call needs no more: part of every call, and no offence.
void Monitor::Machine::absorb(Packet packet, std::string_view what) {
    if (is_only_monitored(packet)) {
        egress_.release(std::move(packet));
    } else {
        egress_.drop(std::move(packet), STEM_SIP_ABSORBED, what);
    }
}

// The INVITE has gone on already.
void Monitor::Machine::watch_decision(const Call& call, const sm::Decision& decision) {
    const auto note = [&](stem_reason reason) {
        totals_.would_drop++;
        egress_.note_monitored(
            reason, call.direction,
            fmt::format("call {:x} {} -> {}: {}", call.id, call.caller, call.callee, decision.why));
    };
    if (std::holds_alternative<sm::Forward>(decision.action)) {
        note(STEM_SIP_REWRITTEN);
    } else if (std::holds_alternative<sm::Reject>(decision.action)) {
        note(STEM_SM_REJECTED);
    } else if (const auto* drop = std::get_if<sm::Drop>(&decision.action); drop != nullptr) {
        note(drop->spam ? STEM_SM_SPAM : STEM_SM_DROPPED);
    } else if (std::holds_alternative<sm::Challenge>(decision.action)) {
        note(STEM_SM_CHALLENGED);
    }
}

} // namespace stem::call
