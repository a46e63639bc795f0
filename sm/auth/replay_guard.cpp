// SPDX-License-Identifier: Apache-2.0
#include "sm/auth/replay_guard.h"

#include <algorithm>

namespace stem::auth {

ReplayGuard::Verdict ReplayGuard::use(std::string_view nonce, TimePoint made, std::uint32_t count,
                                      std::string_view request) {
    auto at = used_.find({made, std::string(nonce)});
    if (at == used_.end()) {
        if (made <= floor_) {
            return Verdict::forgotten;
        }
        if (used_.size() >= most_) {
            floor_ = std::max(floor_, used_.begin()->first.first);
            used_.erase(used_.begin(), used_.lower_bound({floor_ + TimePoint::duration(1), {}}));
            if (made <= floor_) {
                return Verdict::forgotten;
            }
        }
        at = used_.emplace(std::pair(made, std::string(nonce)), Used{}).first;
    }
    Used& used = at->second;
    const auto place =
        std::ranges::lower_bound(used.counts, count, {}, &std::pair<std::uint32_t, std::string>::first);
    if (place != used.counts.end() && place->first == count) {
        return place->second == request ? Verdict::same : Verdict::replayed;
    }
    if (count <= used.floor) {
        return Verdict::replayed;
    }
    used.counts.emplace(place, count, std::string(request));
    if (used.counts.size() > remembered) {
        used.floor = used.counts.front().first;
        used.counts.erase(used.counts.begin());
    }
    return Verdict::fresh;
}

void ReplayGuard::forget_before(TimePoint made) {
    used_.erase(used_.begin(), used_.lower_bound({made, std::string()}));
    floor_ = std::max(floor_, made - std::chrono::milliseconds(1));
}

} // namespace stem::auth
