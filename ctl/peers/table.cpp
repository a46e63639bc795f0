// SPDX-License-Identifier: Apache-2.0
#include "ctl/peers/table.h"

#include <algorithm>
#include <ranges>

namespace stem::peers {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t minute_ns = 60 * second_ns;
// Answered calls of a minute that are worth a phone: what one busy phone makes.
constexpr std::uint32_t calls_of_a_phone = 10;
// Written again only when the expiry moved by this much: a system call for each refresh is not worth it.
constexpr std::uint64_t expiry_grain_ns = 5 * second_ns;

constexpr std::uint32_t trunk_kinds = STEM_PEER_TRUNK | STEM_PEER_CONFIGURED;

std::uint64_t ns_of(std::chrono::seconds duration) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0)) * second_ns;
}

} // namespace

std::size_t Table::adopt(std::uint64_t now_ns) {
    std::vector<std::pair<Address, stem_peer>> found;
    store_.for_each(
        [&](const Address& address, const stem_peer& peer) { found.emplace_back(address, peer); });
    for (const auto& [address, entry] : found) {
        Peer& peer = peers_[address];
        peer.written = entry;
        peer.named = entry.kinds & STEM_PEER_TRUNK;
        peer.inherited = entry;
        peer.inherited.kinds &= ~trunk_kinds;
        // One that a trunk's entry hides has no expiry of its own any more: it earns it anew.
        if (peer.inherited.kinds == 0 || entry.expires_ns == 0) {
            peer.inherited = {};
        }
        update(address, peer, now_ns);
    }
    return peers_.size();
}

Table::Peer* Table::find_or_make(const Address& address) {
    if (const auto there = peers_.find(address); there != peers_.end()) {
        return &there->second;
    }
    if (peers_.size() >= settings_.max_peers) {
        refused_++;
        return nullptr;
    }
    return &peers_[address];
}

void Table::registered(const Address& address, const std::string& binding, std::chrono::seconds lifetime,
                       std::uint64_t now_ns) {
    if (lifetime.count() <= 0) {
        if (const auto there = peers_.find(address); there != peers_.end()) {
            there->second.bindings.erase(binding);
            update(address, there->second, now_ns);
        }
        return;
    }
    if (Peer* peer = find_or_make(address); peer != nullptr) {
        peer->bindings[binding] = now_ns + ns_of(lifetime);
        update(address, *peer, now_ns);
    }
}

void Table::count_answered(Peer& peer, std::uint64_t now_ns) {
    const std::uint64_t minute = now_ns / minute_ns;
    if (minute != peer.minute) {
        peer.answered[1] = minute == peer.minute + 1 ? peer.answered[0] : 0;
        peer.answered[0] = 0;
        peer.minute = minute;
    }
    peer.answered[0]++;
}

void Table::call_up(std::uint64_t dialog, const Address& address, std::uint64_t now_ns) {
    Peer* peer = find_or_make(address);
    if (peer == nullptr || !calls_.emplace(dialog, address).second) {
        return;
    }
    peer->calls.insert(dialog);
    count_answered(*peer, now_ns);
    peer->calls_until_ns = now_ns + ns_of(settings_.call_memory);
    update(address, *peer, now_ns);
}

void Table::call_over(std::uint64_t dialog, std::uint64_t now_ns) {
    const auto call = calls_.find(dialog);
    if (call == calls_.end()) {
        return;
    }
    const Address address = call->second;
    calls_.erase(call);
    if (const auto there = peers_.find(address); there != peers_.end()) {
        there->second.calls.erase(dialog);
        there->second.calls_until_ns = now_ns + ns_of(settings_.call_memory);
        update(address, there->second, now_ns);
    }
}

Result<> Table::add_trunk(const Address& address, std::uint64_t now_ns) {
    Peer* peer = find_or_make(address);
    if (peer == nullptr) {
        return fail("add peer " + address.to_string(), "the table of peers is full",
                    "remove some: stemctl peers list");
    }
    peer->named |= STEM_PEER_TRUNK;
    update(address, *peer, now_ns);
    return {};
}

bool Table::remove_trunk(const Address& address, std::uint64_t now_ns) {
    const auto there = peers_.find(address);
    if (there == peers_.end() || (there->second.named & STEM_PEER_TRUNK) == 0) {
        return false;
    }
    there->second.named &= ~static_cast<std::uint32_t>(STEM_PEER_TRUNK);
    update(address, there->second, now_ns);
    return true;
}

void Table::set_configured(const std::vector<Address>& addresses, std::uint64_t now_ns) {
    for (const Address& address : addresses) {
        if (Peer* peer = find_or_make(address); peer != nullptr) {
            peer->named |= STEM_PEER_CONFIGURED;
            update(address, *peer, now_ns);
        }
    }
}

stem_peer Table::describe(const Peer& peer, std::uint64_t now_ns) const {
    stem_peer entry{};
    const auto reach = [&](std::uint64_t until_ns) {
        entry.expires_ns = std::max<std::uint64_t>(entry.expires_ns, until_ns);
    };
    std::uint32_t answered = 0;
    if (now_ns / minute_ns <= peer.minute + 1) {
        answered = peer.answered[0] + (now_ns / minute_ns == peer.minute ? peer.answered[1] : 0);
    }
    const auto calls = static_cast<std::uint32_t>(peer.calls.size());
    entry.phones =
        static_cast<std::uint32_t>(peer.bindings.size()) + std::max(calls, answered / calls_of_a_phone);
    if (!peer.bindings.empty()) {
        entry.kinds |= STEM_PEER_REGISTERED;
        reach(std::ranges::max(std::views::values(peer.bindings)));
    }
    if (!peer.calls.empty() || peer.calls_until_ns > now_ns) {
        entry.kinds |= STEM_PEER_DIALOG;
        reach(peer.calls.empty() ? peer.calls_until_ns : now_ns + ns_of(settings_.call_memory));
    }
    if (peer.inherited.expires_ns > now_ns) {
        entry.kinds |= peer.inherited.kinds;
        entry.phones = std::max(entry.phones, peer.inherited.phones);
        reach(peer.inherited.expires_ns);
    }
    if (peer.named != 0) {
        entry.kinds |= peer.named;
        entry.expires_ns = 0;
    }
    entry.phones = std::max(entry.phones, 1U);
    return entry;
}

void Table::drop_expired(Peer& peer, std::uint64_t now_ns) {
    std::erase_if(peer.bindings, [&](const auto& binding) { return binding.second <= now_ns; });
}

void Table::wake_at(const Address& address, Peer& peer, std::uint64_t at_ns) {
    if (peer.due_ns == 0 || at_ns < peer.due_ns) {
        peer.due_ns = at_ns;
        due_.add(at_ns, address);
    }
}

void Table::update(const Address& address, Peer& peer, std::uint64_t now_ns) {
    const stem_peer entry = describe(peer, now_ns);
    if (entry.kinds == 0) {
        store_.erase(address);
        peers_.erase(Address(address)); // `address` may live in the entry
        return;
    }
    const bool changed = entry.kinds != peer.written.kinds || entry.phones != peer.written.phones ||
                         (entry.expires_ns == 0) != (peer.written.expires_ns == 0) ||
                         entry.expires_ns < peer.written.expires_ns ||
                         entry.expires_ns > peer.written.expires_ns + expiry_grain_ns;
    if (changed) {
        if (store_.put(address, entry)) {
            peer.written = entry;
        } else {
            refused_++;
        }
    }
    // Whatever ends first changes what is told of the peer: bindings, inheritance, calls, the minute's count.
    std::uint64_t next = now_ns + minute_ns;
    for (const auto& [name, until_ns] : peer.bindings) {
        next = std::min(next, until_ns);
        if (peer.bindings.size() > 64) {
            break; // a minute's delay is nothing against walking them all for each REGISTER
        }
    }
    if (entry.expires_ns != 0) {
        next = std::min<std::uint64_t>(next, entry.expires_ns);
    }
    wake_at(address, peer, next);
}

void Table::tick(std::uint64_t now_ns) {
    while (const auto due = due_.take_due(now_ns)) {
        const auto there = peers_.find(*due);
        if (there == peers_.end() || there->second.due_ns > now_ns) {
            continue; // gone, or an earlier deadline took this one's place
        }
        there->second.due_ns = 0;
        drop_expired(there->second, now_ns);
        update(there->first, there->second, now_ns);
    }
}

} // namespace stem::peers
