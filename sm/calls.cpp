// SPDX-License-Identifier: Apache-2.0
#include "sm/calls.h"

namespace stem::sm {

Calls::Map::iterator Calls::insert(const Key& key, const Link::CallEvent& event, Counters counters,
                                   TimePoint now) {
    for (const std::string& counter : counters) {
        ++counts_[counter];
    }
    return calls_
        .insert_or_assign(key, Call{.event = event,
                                    .counters = std::move(counters),
                                    .begun = now,
                                    .answered = {},
                                    .waits_until = {}})
        .first;
}

Calls::Map::iterator Calls::erase(Map::iterator at) {
    for (const std::string& counter : at->second.counters) {
        const auto count = counts_.find(counter);
        if (--count->second == 0) {
            counts_.erase(count);
        }
    }
    return calls_.erase(at);
}

bool Calls::erase(const Key& key) {
    const auto found = calls_.find(key);
    if (found == calls_.end()) {
        return false;
    }
    erase(found);
    return true;
}

void Calls::update(Call& call, const Link::CallEvent& event) {
    std::string user = event.user.empty() ? call.event.user : event.user; // an adopted call has lost it
    call.event = event;
    call.event.user = std::move(user);
    call.waits_until = {};
    call.confirmed = true;
    if (event.state == Link::CallEvent::State::answered && call.answered == TimePoint()) {
        call.answered = event.at;
    }
}

void Calls::expect(const Key& key, const Link::CallEvent& event, Counters counters, TimePoint now) {
    erase(key);
    const auto at = insert(key, event, std::move(counters), now);
    at->second.waits_until = now + patience;
    waiting_.emplace(now + patience, key);
    if (waiting_.size() > most_waiting) {
        give_up_oldest();
    }
}

void Calls::give_up_oldest() {
    const auto oldest = waiting_.begin();
    const auto found = calls_.find(oldest->second);
    if (found != calls_.end() && found->second.waits_until == oldest->first) {
        erase(found);
    }
    waiting_.erase(oldest);
}

void Calls::begin_review(const std::string& firewall) {
    for (auto at = calls_.lower_bound({firewall, ""}); at != calls_.end() && at->first.first == firewall;
         ++at) {
        // What it has only been told it may let in, it need not know of yet.
        at->second.confirmed = at->second.waits_until != TimePoint();
    }
}

std::vector<Calls::Call> Calls::end_review(const std::string& firewall) {
    std::vector<Call> over;
    for (auto at = calls_.lower_bound({firewall, ""}); at != calls_.end() && at->first.first == firewall;) {
        if (at->second.confirmed) {
            ++at;
        } else {
            over.push_back(at->second);
            at = erase(at);
        }
    }
    return over;
}

void Calls::left(const std::string& firewall, TimePoint now) {
    here_.erase(firewall);
    away_.insert_or_assign(firewall, now);
}

void Calls::came(const std::string& firewall) {
    away_.erase(firewall);
    here_.insert(firewall);
}

void Calls::moved_away(const std::string& firewall) {
    away_.erase(firewall);
    for (auto at = calls_.lower_bound({firewall, ""}); at != calls_.end() && at->first.first == firewall;) {
        at = erase(at);
    }
}

std::vector<std::pair<Calls::Key, Calls::Call>> Calls::expire(TimePoint now) {
    while (!waiting_.empty() && waiting_.begin()->first <= now) {
        give_up_oldest();
    }
    std::vector<std::pair<Key, Call>> gone;
    for (auto away = away_.begin(); away != away_.end();) {
        if (now - away->second < absence) {
            ++away;
            continue;
        }
        const std::string& firewall = away->first;
        for (auto at = calls_.lower_bound({firewall, ""});
             at != calls_.end() && at->first.first == firewall;) {
            gone.emplace_back(at->first, at->second);
            at = erase(at);
        }
        away = away_.erase(away);
    }
    return gone;
}

const Calls::Call* Calls::find(const Key& key) const {
    const auto found = calls_.find(key);
    return found == calls_.end() ? nullptr : &found->second;
}

std::uint32_t Calls::count(std::string_view counter) const {
    const auto found = counts_.find(counter);
    return (found == counts_.end() ? 0 : found->second) + count_elsewhere(counter);
}

std::uint32_t Calls::count_elsewhere(std::string_view counter) const {
    const auto found = elsewhere_.find(counter);
    return found == elsewhere_.end() ? 0 : found->second;
}

} // namespace stem::sm
