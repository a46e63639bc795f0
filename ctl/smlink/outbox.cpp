// SPDX-License-Identifier: Apache-2.0
#include "ctl/smlink/outbox.h"

namespace stem::smlink {

Outbox::Ticket Outbox::put(Entry entry) {
    if (entries_.size() >= limit_) {
        ++lost_;
        done(entries_.begin()->first);
    }
    const Ticket ticket = ++next_;
    if (!entry.key.empty()) {
        by_key_[entry.key] = ticket;
    }
    entries_.emplace(ticket, std::move(entry));
    return ticket;
}

Outbox::Ticket Outbox::add(const sm::Link::Binding& binding, Clock::time_point now) {
    const std::string whose = binding.address_of_record + '\n';
    if (binding.all) { // what was learned before is void
        for (auto it = by_key_.lower_bound(whose); it != by_key_.end() && it->first.starts_with(whose);) {
            entries_.erase(it->second);
            it = by_key_.erase(it);
        }
    }
    const std::string key = whose + binding.contact;
    if (const auto former = by_key_.find(key); former != by_key_.end()) {
        done(former->second);
    }
    return put({.item = binding, .since = now, .key = key});
}

Outbox::Ticket Outbox::add(const sm::Link::StreamEnd& end) {
    return put({.item = end});
}

Outbox::Ticket Outbox::add(const sm::Link::CallEvent& event) {
    return put({.item = event});
}

void Outbox::done(Ticket ticket) {
    const auto found = entries_.find(ticket);
    if (found == entries_.end()) {
        return;
    }
    if (!found->second.key.empty()) {
        by_key_.erase(found->second.key);
    }
    entries_.erase(found);
}

std::optional<Outbox::Item> Outbox::item(Ticket ticket, Clock::time_point now) const {
    const auto found = entries_.find(ticket);
    if (found == entries_.end()) {
        return std::nullopt;
    }
    Item item = found->second.item;
    if (auto* binding = std::get_if<sm::Link::Binding>(&item);
        binding != nullptr && binding->lifetime.count() > 0) {
        const auto gone = std::chrono::floor<std::chrono::seconds>(now - found->second.since);
        if (gone >= binding->lifetime) {
            return std::nullopt;
        }
        binding->lifetime -= gone;
    }
    return item;
}

std::vector<Outbox::Ticket> Outbox::tickets() const {
    std::vector<Ticket> all;
    all.reserve(entries_.size());
    for (const auto& [ticket, entry] : entries_) {
        all.push_back(ticket);
    }
    return all;
}

} // namespace stem::smlink
