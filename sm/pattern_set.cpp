// SPDX-License-Identifier: Apache-2.0
#include "sm/pattern_set.h"

#include <algorithm>

namespace stem::sm {
namespace {

// Numbers have 15 digits at most (E.164); longer prefixes are compared up to here.
constexpr std::size_t longest_prefix = 32;

} // namespace

bool PatternSet::insert(const Pattern& pattern, std::int64_t deny_seconds) {
    const Match match{.pattern = pattern, .deny_seconds = deny_seconds};
    if (!patterns_.emplace(pattern.to_string(), match).second) {
        return false;
    }
    if (pattern.kind() == Pattern::Kind::regex) {
        regexes_.push_back(match);
    }
    return true;
}

bool PatternSet::erase(const Pattern& pattern) {
    if (pattern.kind() == Pattern::Kind::regex) {
        std::erase_if(regexes_, [&](const Match& match) { return match.pattern == pattern; });
    }
    return patterns_.erase(pattern.to_string()) != 0;
}

bool PatternSet::contains(const Pattern& pattern) const {
    return patterns_.contains(pattern.to_string());
}

std::optional<PatternSet::Match> PatternSet::match(const Caller& caller) const {
    if (patterns_.empty()) {
        return std::nullopt;
    }
    const auto found = [&](std::string_view key) -> const Match* {
        const auto at = patterns_.find(key);
        return at != patterns_.end() && at->second.pattern.matches(caller) ? &at->second : nullptr;
    };
    const Match* hit = caller.address.empty() ? nullptr : found(caller.address);
    if (hit == nullptr && !caller.number.empty()) {
        hit = found(caller.number);
        std::string prefix;
        for (std::size_t n = std::min(caller.number.size(), longest_prefix); hit == nullptr && n > 0; --n) {
            prefix.assign(caller.number, 0, n).push_back('*');
            hit = found(prefix);
        }
    }
    if (hit == nullptr && !caller.host.empty()) {
        const bool bracket = caller.host.find(':') != std::string::npos;
        hit = found(bracket ? "*@[" + caller.host + "]" : "*@" + caller.host);
    }
    for (std::size_t i = 0; hit == nullptr && i < regexes_.size(); ++i) {
        hit = regexes_[i].pattern.matches(caller) ? &regexes_[i] : nullptr;
    }
    if (hit == nullptr && caller.anonymous) {
        hit = found("anonymous");
    }
    if (hit == nullptr) {
        hit = found("*");
    }
    return hit == nullptr ? std::nullopt : std::optional(*hit);
}

} // namespace stem::sm
