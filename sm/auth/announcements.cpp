// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/announcements.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::auth {

Result<Announcement> Announcements::add(std::string_view user, std::string_view to, const Address& source,
                                        std::chrono::seconds lifetime, sm::TimePoint now) {
    const std::string attempt = fmt::format("announce a call of user {}", user);
    const auto callee = sm::AddressOfRecord::parse(to);
    if (!callee) {
        return std::unexpected(callee.error());
    }
    if (lifetime < std::chrono::seconds(1) || lifetime > longest_lifetime) {
        return sm::invalid(attempt, fmt::format("lifetime {} s", lifetime.count()),
                           fmt::format("take 1 to {} seconds", longest_lifetime.count()));
    }
    expire(now);
    const auto there = by_user_.find(user);
    if (there != by_user_.end() && there->second.size() >= most_of_user) {
        return sm::conflict(attempt,
                            fmt::format("{} calls are announced already, which is the most", most_of_user),
                            "place them, withdraw one, or wait until they expire");
    }
    if (size_ >= most) {
        return sm::conflict(attempt, "as many calls are announced as can be", "wait until some expire");
    }
    Announcement made{.id = fmt::format("a{}", ++next_),
                      .user = std::string(user),
                      .to = callee->to_string(),
                      .source = source,
                      .expires = now + lifetime,
                      .call_id = {}};
    by_user_[std::string(user)].push_back(made);
    ++size_;
    return made;
}

bool Announcements::take(std::string_view user, const sm::AddressOfRecord& to, const Address& source,
                         std::string_view call_id, sm::TimePoint now) {
    const auto there = by_user_.find(user);
    if (there == by_user_.end()) {
        return false;
    }
    const std::string callee = to.to_string();
    const auto fits = [&](const Announcement& each, std::string_view used_by) {
        return each.expires > now && each.to == callee && each.source == source && each.call_id == used_by;
    };
    auto& all = there->second;
    // A query may be asked again, and a call has more attempts after a 401 or 407 of somebody behind us.
    auto at = std::ranges::find_if(all, [&](const Announcement& each) { return fits(each, call_id); });
    if (at == all.end()) {
        at = std::ranges::find_if(all, [&](const Announcement& each) { return fits(each, ""); });
    }
    if (at == all.end()) {
        return false;
    }
    at->call_id = call_id;
    at->expires = std::max(at->expires, now + linger);
    return true;
}

std::vector<Announcement> Announcements::of(std::string_view user, sm::TimePoint now) const {
    std::vector<Announcement> alive;
    if (const auto there = by_user_.find(user); there != by_user_.end()) {
        std::ranges::copy_if(there->second, std::back_inserter(alive),
                             [&](const Announcement& each) { return each.expires > now; });
    }
    return alive;
}

bool Announcements::withdraw(std::string_view user, std::string_view id) {
    const auto there = by_user_.find(user);
    if (there == by_user_.end()) {
        return false;
    }
    const auto gone = std::erase_if(there->second, [&](const Announcement& each) { return each.id == id; });
    size_ -= gone;
    if (there->second.empty()) {
        by_user_.erase(there);
    }
    return gone > 0;
}

void Announcements::expire(sm::TimePoint now) {
    for (auto& [user, all] : by_user_) {
        size_ -= std::erase_if(all, [&](const Announcement& each) { return each.expires <= now; });
    }
    std::erase_if(by_user_, [](const auto& entry) { return entry.second.empty(); });
}

} // namespace stem::auth
