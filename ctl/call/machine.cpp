// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/machine.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>

namespace stem::call {
namespace {

std::uint64_t random_id() {
    std::random_device device;
    // 48 bits: unlikely to meet an id of an earlier stemd, and short enough to type.
    return (std::uint64_t{device()} << 16 ^ device()) & 0xffffffffffffU;
}

// How often a request may come again. RFC 3261 17.1.1.2: a client sends an INVITE seven times at most,
// whatever its T1; 17.1.2.1: another request eleven times, and more often where its T2 is short. Duplicates
// may come on top.
constexpr unsigned max_repeats(sip::Method method) {
    return method == sip::Method::invite ? 10 : 24;
}

// These live only inside a dialog.
bool begins_no_dialog(sip::Method method) {
    return method == sip::Method::bye || method == sip::Method::prack || method == sip::Method::update;
}

} // namespace

std::string call_key(stem_direction direction, std::string_view call_id, std::string_view caller_tag) {
    std::string key(direction == STEM_INBOUND ? ">" : "<");
    key += call_id;
    key += '\n';
    key += caller_tag;
    return key;
}

stem_direction opposite(stem_direction direction) {
    return direction == STEM_INBOUND ? STEM_OUTBOUND : STEM_INBOUND;
}

stem_party other_party(stem_party party) {
    return party == STEM_CALLER ? STEM_CALLEE : STEM_CALLER;
}

Dialog* Call::dialog(std::string_view tag) {
    const auto found = std::ranges::find(dialogs, tag, &Dialog::tag);
    return found == dialogs.end() ? nullptr : &*found;
}

std::string Call::own_tag() const {
    return fmt::format("stem-{:x}", id);
}

Monitor::Machine::Machine(Settings settings, Egress& egress, FlowStore& flows, RecordStore& records,
                          sm::Link& sm)
    : settings_(std::move(settings)), egress_(egress), flows_(flows), records_(records), sm_(sm),
      pinholes_(flows, egress), transactions_(settings_.max_transactions), next_id_(random_id()) {
}

void Monitor::Machine::receive(Packet packet, std::uint64_t now_ns) {
    now_ns_ = now_ns;
    const auto message = sip::parse(packet.payload, settings_.sip);
    if (!message) {
        reject(std::move(packet), nullptr, {message.error().reason, message.error().what});
        return;
    }
    if (message->request) {
        on_request(std::move(packet), *message);
    } else {
        on_response(std::move(packet), *message);
    }
    pinholes_.run(now_ns_);
}

void Monitor::Machine::on_request(Packet packet, const sip::Message& message) {
    if (std::ranges::find(settings_.refused_methods, message.method_name) !=
        settings_.refused_methods.end()) {
        reject(std::move(packet), &message,
               {STEM_SIP_METHOD, message.method_name + " is refused by configuration"});
        return;
    }
    if (message.replaces && message.method != sip::Method::invite) { // RFC 3891 3
        reject(std::move(packet), &message,
               {STEM_SIP_MALFORMED, "Replaces in " + message.method_name + ", and not in INVITE"});
        return;
    }
    switch (message.method) {
    case sip::Method::invite:
        message.to_tag.empty() ? on_invite(std::move(packet), message)
                               : on_inside_request(std::move(packet), message);
        return;
    case sip::Method::ack:
        on_ack(std::move(packet), message);
        return;
    case sip::Method::cancel:
        on_cancel(std::move(packet), message);
        return;
    default:
        message.to_tag.empty() ? on_outside_request(std::move(packet), message)
                               : on_inside_request(std::move(packet), message);
    }
}

// Calls from inside are the Security Manager's to judge; the rest that somebody inside may begin is told
// here.
std::optional<Monitor::Machine::Objection>
Monitor::Machine::object_to_outgoing(const Packet& packet, const sip::Message& message) const {
    const auto& refused = settings_.refused_outgoing;
    if (packet.direction != STEM_OUTBOUND ||
        std::ranges::find(refused, message.method_name) == refused.end() ||
        std::ranges::any_of(settings_.outgoing_hosts,
                            [&](const Cidr& hosts) { return hosts.contains(packet.source.address); })) {
        return std::nullopt;
    }
    return Objection{STEM_SIP_METHOD,
                     message.method_name + " from inside, outside of a call, is refused by configuration"};
}

// The transaction of a request of no call; nullptr: it is refused, or repeated, and the packet is gone.
Transaction* Monitor::Machine::begin_outside(Packet& packet, const sip::Message& message) {
    if (auto objection = object_to_outgoing(packet, message); objection) {
        reject(std::move(packet), &message, *objection);
        return nullptr;
    }
    if (Transaction* first = transactions_.find(Transactions::key_of(message, packet.direction));
        first != nullptr) {
        on_repetition_outside(std::move(packet), message, *first);
        return nullptr;
    }
    Transaction* transaction = begin_transaction(packet, message, {});
    if (transaction == nullptr) {
        reject(std::move(packet), &message, {STEM_CALL_LIMIT, "no room for another transaction"});
    }
    return transaction;
}

// REGISTER, OPTIONS and the like: not part of a call; followed so that their responses find the way back.
void Monitor::Machine::on_outside_request(Packet packet, const sip::Message& message) {
    if (begins_no_dialog(message.method)) {
        reject(std::move(packet), &message, {STEM_SIP_NO_DIALOG, message.method_name + " without a To tag"});
        return;
    }
    Transaction* transaction = begin_outside(packet, message);
    if (transaction == nullptr) {
        return;
    }
    if (message.method == sip::Method::register_) {
        transaction->address_of_record = message.to.address_of_record();
        transaction->contacts = message.contacts;
        transaction->expires = message.expires;
        transaction->registrant = packet.source.address;
        transaction->direction = packet.direction;
        // Came through a proxy: then the source is the proxy's, and only the Contact says where the phone is.
        if (message.vias.size() > 1 && !message.contacts.empty()) {
            if (const auto phone = Address::parse(message.contacts.front().uri.host); phone) {
                transaction->registrant = *phone;
            }
        }
    }
    release(std::move(packet), message, nullptr);
}

// A call whose dialog the message names; else the leg that has its branch, else any of its Call-ID and tag.
Monitor::Machine::Place Monitor::Machine::place_of(const sip::Message& message,
                                                   stem_direction request_direction) {
    Place place;
    const std::string& branch = message.vias.front().branch;
    const auto [first, last] =
        calls_.equal_range(call_key(request_direction, message.call_id, message.from_tag));
    for (auto each = first; each != last; ++each) {
        Call* call = each->second.get();
        if (Dialog* dialog = message.to_tag.empty() ? nullptr : call->dialog(message.to_tag);
            dialog != nullptr) {
            place.call = call;
            place.dialog = dialog;
            return place;
        }
        if (place.call == nullptr || call->legs.contains(branch)) {
            place.call = call;
        }
    }
    if (place.call != nullptr || message.to_tag.empty()) {
        return place;
    }
    const auto [begin, end] =
        calls_.equal_range(call_key(opposite(request_direction), message.call_id, message.to_tag));
    for (auto each = begin; each != end; ++each) {
        Dialog* dialog = each->second->dialog(message.from_tag);
        if (place.call == nullptr || dialog != nullptr) {
            place = {.call = each->second.get(), .dialog = dialog, .party = STEM_CALLEE};
        }
        if (dialog != nullptr) {
            break;
        }
    }
    return place;
}

Call* Monitor::Machine::call_of(std::uint64_t id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

// Requests that share the INVITE's branch (its retransmissions, CANCEL, the ACK of a failure) must carry the
// request URI that the INVITE left with (RFC 3261 9.1, 17.1.1.3).
void Monitor::Machine::release(Packet packet, const sip::Message& message, const Call* call) {
    if (call != nullptr && !call->target.empty() && message.request &&
        call->legs.contains(message.vias.front().branch)) {
        egress_.release_rewritten(std::move(packet), message.request_uri_span, call->target);
    } else {
        egress_.release(std::move(packet));
    }
}

// Finds the transaction that a repeated request belongs to, or opens one. Null: no room.
Transaction* Monitor::Machine::begin_transaction(const Packet& packet, const sip::Message& message,
                                                 const Place& place) {
    const std::string key = Transactions::key_of(message, packet.direction);
    if (Transaction* there = transactions_.find(key); there != nullptr) {
        return there;
    }
    if (place.call == nullptr && !transactions_.has_room_outside_calls()) {
        return nullptr;
    }
    Transaction transaction;
    transaction.method = message.method;
    transaction.cseq = message.cseq;
    transaction.party = place.party;
    transaction.from_tag = message.from_tag;
    transaction.to_tag = message.to_tag;
    transaction.request_uri = message.request_uri.text;
    transaction.rack = message.rack;
    transaction.source = packet.source;
    transaction.destination = packet.destination;
    transaction.imprint = imprint_of(message, packet.payload);
    if (place.call != nullptr) {
        transaction.call = place.call->id;
    }
    if (place.dialog != nullptr) {
        transaction.callee_tag = place.dialog->tag;
    }
    const auto lifetime =
        message.method == sip::Method::invite ? settings_.ring_timeout + settings_.linger : settings_.linger;
    return transactions_.insert(key, std::move(transaction), now_ns_ + ns_of(lifetime));
}

// A request whose transaction is there already, from where it may come.
void Monitor::Machine::on_repetition(Packet packet, const sip::Message& message, Transaction& first,
                                     const Call* call) {
    if (first.imprint && *first.imprint != imprint_of(message, packet.payload)) {
        reject(
            std::move(packet), &message,
            {STEM_SIP_STATE, message.method_name + " with the branch of another, which it does not repeat"});
        return;
    }
    if (++first.repeats > max_repeats(message.method)) {
        absorb(std::move(packet), message.method_name + " repeated more often than any timer does");
        return;
    }
    release(std::move(packet), message, call);
}

// The same of no call: there is no leg that could have moved.
void Monitor::Machine::on_repetition_outside(Packet packet, const sip::Message& message, Transaction& first) {
    if (!stand_for_one(packet.source.address, first.source.address)) {
        const Objection objection{STEM_SIP_FLOW,
                                  fmt::format("{} repeated from {}, but it came from {}", message.method_name,
                                              packet.source.to_string(), first.source.to_string())};
        reject(std::move(packet), &message, objection);
        return;
    }
    on_repetition(std::move(packet), message, first, nullptr);
}

std::vector<DialogInfo> Monitor::Machine::dialogs() const {
    const auto name_of = [](const Call& call, stem_dialog_state state) -> std::string {
        switch (call.state) {
        case CallState::held:
            return "held";
        case CallState::refused:
        case CallState::ignored:
            return "refused";
        case CallState::failed:
            return "dead";
        case CallState::going:
            break;
        }
        switch (state) {
        case STEM_DIALOG_CALLING:
            return "calling";
        case STEM_DIALOG_EARLY:
            return "early";
        case STEM_DIALOG_ANSWERED:
            return "answered";
        case STEM_DIALOG_UP:
            return "up";
        case STEM_DIALOG_CLOSING:
            return "closing";
        case STEM_DIALOG_DEAD:
            break;
        }
        return "dead";
    };
    std::vector<DialogInfo> all;
    for (const auto& [key, call] : calls_) {
        for (const auto& dialog : call->dialogs) {
            DialogInfo info;
            info.id = dialog.id;
            info.state = name_of(*call, dialog.state);
            info.direction = call->direction;
            info.caller = call->caller;
            info.callee = call->callee;
            info.target = call->target;
            info.call_id = call->call_id;
            info.decision = call->why;
            info.refer_to = dialog.refer_to;
            info.replaces = call->replaces;
            info.started_ns = call->started_ns;
            info.answered_ns = dialog.answered_ns;
            for (const auto& flow_key : pinholes_.keys_of(dialog.id)) {
                if (const auto flow = flows_.get(flow_key); flow) {
                    info.media.push_back({.key = flow_key, .flow = *flow});
                }
            }
            all.push_back(std::move(info));
        }
    }
    std::ranges::sort(all, {}, &DialogInfo::started_ns);
    return all;
}

Totals Monitor::Machine::totals() const {
    Totals totals = totals_;
    totals.calls = static_cast<std::size_t>(std::ranges::count_if(calls_, [](const auto& entry) {
        return entry.second->dead_since_ns == 0 &&
               (entry.second->state == CallState::held || entry.second->state == CallState::going);
    }));
    totals.held = held_;
    totals.byes_waiting = byes_waiting_;
    totals.transactions = transactions_.size();
    totals.pinholes = pinholes_.size();
    for (const auto direction : {STEM_INBOUND, STEM_OUTBOUND}) {
        totals.announced[direction] = pinholes_.announced(direction);
    }
    totals.pinholes_opened = pinholes_.opened();
    totals.pinholes_closed = pinholes_.closed();
    return totals;
}

bool Monitor::Machine::drop(std::uint64_t dialog_id, std::uint64_t now_ns) {
    now_ns_ = now_ns;
    for (const auto& [key, call] : calls_) {
        for (auto& dialog : call->dialogs) {
            if (dialog.id != dialog_id || dialog.state == STEM_DIALOG_DEAD) {
                continue;
            }
            if (call->state == CallState::held) {
                refuse(*call, 603, "Decline", STEM_SM_REJECTED, "dropped by the operator while held");
                return true;
            }
            cut(*call, dialog, "dropped by the operator");
            pinholes_.run(now_ns_);
            return true;
        }
    }
    return false;
}

// Monitor only hides the machine.
Monitor::Monitor(Settings settings, Egress& egress, FlowStore& flows, RecordStore& records, sm::Link& sm)
    : machine_(std::make_unique<Machine>(std::move(settings), egress, flows, records, sm)) {
}
Monitor::~Monitor() = default;
void Monitor::watch_with(Observer& observer) {
    machine_->watch_with(observer);
}
std::size_t Monitor::adopt(std::uint64_t now_ns) {
    return machine_->adopt(now_ns);
}
void Monitor::receive(Packet packet, std::uint64_t now_ns) {
    machine_->receive(std::move(packet), now_ns);
}
void Monitor::tick(std::uint64_t now_ns) {
    machine_->tick(now_ns);
}
std::vector<DialogInfo> Monitor::dialogs() const {
    return machine_->dialogs();
}
Totals Monitor::totals() const {
    return machine_->totals();
}
bool Monitor::drop(std::uint64_t dialog_id, std::uint64_t now_ns) {
    return machine_->drop(dialog_id, now_ns);
}
void Monitor::heed(const stem_notice& notice, std::uint64_t now_ns) {
    machine_->heed(notice, now_ns);
}
void Monitor::look_around(std::uint64_t now_ns) {
    machine_->look_around(now_ns);
}

} // namespace stem::call
