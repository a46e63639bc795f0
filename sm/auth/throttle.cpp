// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/throttle.h"

#include <algorithm>

namespace stem::auth {
namespace {

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

std::chrono::seconds Throttle::wait(const Table& table, const std::string& key, Clock::time_point now) {
    const auto at = table.by_key.find(key);
    if (at == table.by_key.end() || at->second->until <= now) {
        return std::chrono::seconds(0);
    }
    return std::chrono::ceil<std::chrono::seconds>(at->second->until - now);
}

std::chrono::seconds Throttle::wait(const Address& source, std::string_view user,
                                    Clock::time_point now) const {
    const std::string address = address_key(source);
    auto longest = std::max(wait(sources_, address, now), wait(pairs_, pair_key(address, user), now));
    if (!source.is_v4()) {
        const std::string network = network_key(source);
        longest =
            std::max({longest, wait(sources_, network, now), wait(pairs_, pair_key(network, user), now)});
    }
    return longest;
}

void Throttle::count(Table& table, const std::string& key, std::uint32_t free, Clock::time_point now) const {
    auto at = table.by_key.find(key);
    if (at == table.by_key.end()) {
        if (table.entries.size() >= settings_.entries) {
            table.by_key.erase(table.entries.back().key);
            table.entries.pop_back();
        }
        table.entries.push_front({.key = key, .failures = 0, .last = now, .until = now});
        at = table.by_key.emplace(key, table.entries.begin()).first;
    }
    table.entries.splice(table.entries.begin(), table.entries, at->second);
    Entry& entry = *at->second;
    if (now - entry.last > settings_.memory) {
        entry.failures = 0;
    }
    entry.last = now;
    if (++entry.failures > free) {
        constexpr std::uint32_t most_doublings = 20;
        const auto doublings = std::min(entry.failures - free - 1, most_doublings);
        entry.until = now + std::min(settings_.first_delay * (1U << doublings), settings_.max_delay);
    }
}

void Throttle::failed(const Address& source, std::string_view user, Clock::time_point now) {
    const std::string address = address_key(source);
    count(sources_, address, settings_.free_of_source, now);
    count(pairs_, pair_key(address, user), settings_.free_of_pair, now);
    if (!source.is_v4()) {
        const std::string network = network_key(source);
        count(sources_, network, settings_.free_of_source * free_of_network, now);
        count(pairs_, pair_key(network, user), settings_.free_of_pair * free_of_network, now);
    }
}

void Throttle::succeeded(const Address& source, std::string_view user) {
    if (const auto at = pairs_.by_key.find(pair_key(address_key(source), user)); at != pairs_.by_key.end()) {
        pairs_.entries.erase(at->second);
        pairs_.by_key.erase(at);
    }
}

} // namespace stem::auth
