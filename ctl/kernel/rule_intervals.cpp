// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/rule_intervals.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>

namespace stem::kernel {
namespace {

// The value behind `point`; nothing behind the last address.
std::optional<Point> behind(const Point& point) noexcept {
    if (point.low != std::numeric_limits<std::uint64_t>::max()) {
        return Point{.high = point.high, .low = point.low + 1};
    }
    if (point.high != std::numeric_limits<std::uint64_t>::max()) {
        return Point{.high = point.high + 1, .low = 0};
    }
    return std::nullopt;
}

std::vector<Point> boundaries_of(const std::vector<Accepts>& accepts) {
    std::vector<Point> boundaries = {Point{}};
    for (const auto& one : accepts) {
        boundaries.push_back(one.first);
        if (const auto end = behind(one.last)) {
            boundaries.push_back(*end);
        }
    }
    std::ranges::sort(boundaries);
    const auto rest = std::ranges::unique(boundaries);
    boundaries.erase(rest.begin(), rest.end());
    return boundaries;
}

// What happens where an interval begins.
struct Change {
    std::size_t interval = 0;
    std::uint16_t rule = 0;
    bool begins = false;
    bool heavy = false;
};

std::size_t words_of(std::span<const Accepts> group) {
    std::size_t words = 0;
    int last = -1;
    for (const auto& one : group) { // in order of the rules
        if (one.rule / 64 != last) {
            last = one.rule / 64;
            words++;
        }
    }
    return words;
}

std::vector<Change> changes_of(std::vector<Accepts>& accepts, const std::vector<Point>& boundaries,
                               std::size_t heavy) {
    std::ranges::sort(accepts, {},
                      [](const Accepts& one) { return std::tie(one.first, one.last, one.rule); });
    const auto index_of = [&](const Point& point) {
        return static_cast<std::size_t>(std::ranges::lower_bound(boundaries, point) - boundaries.begin());
    };
    std::vector<Change> changes;
    for (std::size_t at = 0; at < accepts.size();) {
        std::size_t end = at;
        while (end < accepts.size() && accepts[end].first == accepts[at].first &&
               accepts[end].last == accepts[at].last) {
            end++;
        }
        const std::size_t from = index_of(accepts[at].first);
        const auto next = behind(accepts[at].last);
        const std::size_t to = next ? index_of(*next) : boundaries.size();
        const bool is_heavy = words_of(std::span(accepts).subspan(at, end - at)) * (to - from) >= heavy;
        for (; at < end; at++) {
            changes.push_back(
                {.interval = from, .rule = accepts[at].rule, .begins = true, .heavy = is_heavy});
            changes.push_back({.interval = to, .rule = accepts[at].rule, .begins = false, .heavy = is_heavy});
        }
    }
    std::ranges::sort(changes, {}, &Change::interval);
    return changes;
}

} // namespace

Result<std::vector<Interval>> cut_intervals(RuleVectors& vectors, const RuleSetBits& any,
                                            std::vector<Accepts> accepts, std::size_t heavy) {
    const auto everywhere = vectors.add_common(any);
    if (!everywhere) {
        return fail("compile the rules", "there is no room for a field's common vector");
    }
    const auto boundaries = boundaries_of(accepts);
    const auto changes = changes_of(accepts, boundaries, heavy);
    RuleSetBits shared = any; // with the heavy ones that hold here
    RuleSetBits heavies;
    RuleSetBits own;
    auto common = everywhere;
    std::vector<Interval> intervals;
    std::size_t at = 0;
    for (std::size_t i = 0; i < boundaries.size(); i++) {
        bool moved = false;
        for (; at < changes.size() && changes[at].interval == i; at++) {
            RuleSetBits& bits = changes[at].heavy ? heavies : own;
            changes[at].begins ? bits.set(changes[at].rule) : bits.clear(changes[at].rule);
            moved = moved || changes[at].heavy;
        }
        if (moved) {
            shared = any;
            shared |= heavies;
            common = vectors.add_common(shared);
        }
        RuleSetBits rest = own;
        if (!common) { // the pool is full: then the class has to carry them itself
            rest |= heavies;
        }
        const auto index = vectors.add_class(common.value_or(*everywhere), rest);
        if (!index) {
            return std::unexpected(index.error());
        }
        if (intervals.empty() || intervals.back().index != *index) {
            intervals.push_back({.first = boundaries[i], .index = *index});
        }
    }
    return intervals;
}

} // namespace stem::kernel
