// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/throttle.h"

#include <algorithm>
#include <iterator>

namespace stem::auth {
namespace {

constexpr std::chrono::seconds while_judged{1}; // to wait, where others are being judged

std::string address_key(const Address& source) {
    const auto& octets = source.octets();
    return {octets.begin(), octets.end()};
}

// Of an IPv6 address; shorter than that of an address.
std::string network_key(const Address& source) {
    const auto& octets = source.octets();
    return {octets.begin(), octets.begin() + octets.size() / 2};
}

std::string pair_key(const std::string& source, std::string_view user) {
    return source + '\n' + std::string(user);
}

} // namespace

std::vector<Throttle::Place> Throttle::places(const Address& source, std::string_view user) {
    const std::uint32_t of_source = settings_.free_of_source;
    const std::uint32_t of_pair = settings_.free_of_pair;
    const auto all_of = [&](const std::string& key, std::uint32_t times) {
        return std::vector<Place>{
            {.table = &sources_, .key = key, .free = of_source * times, .free_of_pending = of_source * times},
            {.table = &pairs_,
             .key = pair_key(key, user),
             .free = of_pair * times,
             .free_of_pending = std::max(of_pair, of_source) * times}};
    };
    auto all = all_of(address_key(source), 1);
    if (!source.is_v4()) {
        std::ranges::move(all_of(network_key(source), free_of_network), std::back_inserter(all));
    }
    return all;
}

std::chrono::seconds Throttle::wait(const Place& place, Clock::time_point now) const {
    const auto at = place.table->by_key.find(place.key);
    if (at == place.table->by_key.end()) {
        return std::chrono::seconds(0);
    }
    const Entry& entry = *at->second;
    if (entry.until > now) {
        return std::chrono::ceil<std::chrono::seconds>(entry.until - now);
    }
    const std::uint32_t failures = now - entry.last > settings_.memory ? 0 : entry.failures;
    const std::uint32_t free = failures == 0 ? place.free_of_pending : place.free;
    const bool too_many = entry.pending > 0 && failures + entry.pending > free;
    return too_many ? while_judged : std::chrono::seconds(0);
}

std::chrono::seconds Throttle::wait(const Address& source, std::string_view user, Clock::time_point now) {
    std::chrono::seconds longest(0);
    for (const Place& place : places(source, user)) {
        longest = std::max(longest, wait(place, now));
    }
    return longest;
}

Throttle::Entry& Throttle::entry(Table& table, const std::string& key, Clock::time_point now) const {
    auto at = table.by_key.find(key);
    if (at == table.by_key.end()) {
        if (table.entries.size() >= settings_.entries) {
            table.by_key.erase(table.entries.back().key);
            table.entries.pop_back();
        }
        table.entries.push_front({.key = key, .last = now, .until = now});
        at = table.by_key.emplace(key, table.entries.begin()).first;
    }
    return *at->second;
}

void Throttle::count(const Place& place, Clock::time_point now) const {
    Table& table = *place.table;
    Entry& failing = entry(table, place.key, now);
    table.entries.splice(table.entries.begin(), table.entries, table.by_key.at(place.key));
    if (now - failing.last > settings_.memory) {
        failing.failures = 0;
    }
    failing.last = now;
    if (++failing.failures > place.free) {
        constexpr std::uint32_t most_doublings = 20;
        const auto doublings = std::min(failing.failures - place.free - 1, most_doublings);
        failing.until = now + std::min(settings_.first_delay * (1U << doublings), settings_.max_delay);
    }
}

void Throttle::begin(const Address& source, std::string_view user, Clock::time_point now) {
    for (const Place& place : places(source, user)) {
        ++entry(*place.table, place.key, now).pending;
    }
}

void Throttle::end(const Address& source, std::string_view user) {
    for (const Place& place : places(source, user)) {
        const auto at = place.table->by_key.find(place.key);
        if (at == place.table->by_key.end() || at->second->pending == 0) {
            continue; // pushed out meanwhile
        }
        if (--at->second->pending == 0 && at->second->failures == 0) {
            place.table->entries.erase(at->second);
            place.table->by_key.erase(at);
        }
    }
}

void Throttle::failed(const Address& source, std::string_view user, Clock::time_point now) {
    for (const Place& place : places(source, user)) {
        count(place, now);
    }
}

void Throttle::succeeded(const Address& source, std::string_view user) {
    const auto at = pairs_.by_key.find(pair_key(address_key(source), user));
    if (at == pairs_.by_key.end()) {
        return;
    }
    if (at->second->pending > 0) {
        at->second->failures = 0;
        at->second->until = {};
        return;
    }
    pairs_.entries.erase(at->second);
    pairs_.by_key.erase(at);
}

} // namespace stem::auth
