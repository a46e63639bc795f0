// SPDX-License-Identifier: Apache-2.0
#include "sm/decider.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

// What a user's profile says of a call, and why.
struct Verdict {
    const Treatment* treatment;
    std::string why;
    std::string where; // "profile office rule 2"
};

// Of a decision that refuses: whether the caller's source is to be denied, too.
Decision denying(Decision decision, std::int64_t seconds, std::string note) {
    decision.deny = std::chrono::seconds(seconds);
    constexpr std::size_t longest_note = 128; // more than any list has room for
    note.resize(std::min(note.size(), longest_note));
    decision.deny_note = seconds == 0 ? std::string() : std::move(note);
    return decision;
}

Verdict judge(const Directory& directory, const User& user, const Caller& caller, TimePoint at) {
    static const Treatment accept;
    const Profile* profile = user.profile.empty() ? nullptr : directory.find_profile(user.profile);
    if (profile == nullptr) {
        return {&accept, fmt::format("user {} has no profile -> accept", user.name), {}};
    }
    for (std::size_t i = 0; i < profile->rules.size(); ++i) {
        const Rule& rule = profile->rules[i];
        if (rule.caller.matches(caller) && (!rule.when || rule.when->contains(at))) {
            const std::string where = fmt::format("profile {} rule {}", profile->name, i + 1);
            return {&rule.then, fmt::format("{}: {}", where, rule.to_string()), where};
        }
    }
    return {&profile->fallback,
            fmt::format("profile {} default -> {}", profile->name, profile->fallback.to_string()),
            fmt::format("profile {} default", profile->name)};
}

std::string drop_text(const PatternSet::Match& spam) {
    return Treatment{.action = Treatment::Action::drop, .target = {}, .deny_seconds = spam.deny_seconds}
        .to_string();
}

std::vector<Address> terminals_of(const Directory::Entry& entry, TimePoint at) {
    std::vector<Address> addresses;
    for (const Location& location : entry.locations) {
        if (location.alive(at) && std::ranges::find(addresses, location.address) == addresses.end()) {
            addresses.push_back(location.address);
        }
    }
    return addresses;
}

} // namespace

Decision Decider::decide(const Query& query) const {
    if (query.direction == STEM_INBOUND) {
        return inbound(query);
    }
    if (settings_.outgoing == Settings::Outgoing::accept) {
        return {.action = Accept{}, .user = {}, .why = "outgoing calls -> accept"};
    }
    return {.action = Reject{settings_.outgoing_status, {}},
            .user = {},
            .why = fmt::format("outgoing calls -> reject {}", settings_.outgoing_status)};
}

Decision Decider::unknown_callee(const Query& query) const {
    const std::string who = fmt::format("no user has {}", query.callee);
    switch (settings_.unknown_user) {
    case Settings::UnknownUser::accept:
        return {.action = Accept{}, .user = {}, .why = who + " -> accept"};
    case Settings::UnknownUser::drop:
        return {.action = Drop{}, .user = {}, .why = who + " -> drop"};
    case Settings::UnknownUser::reject:
        break;
    }
    return {.action = Reject{settings_.unknown_user_status, {}},
            .user = {},
            .why = fmt::format("{} -> reject {}", who, settings_.unknown_user_status)};
}

Decision Decider::inbound(const Query& query) const {
    const Caller caller(query.caller);
    if (const auto spam = directory_.spam_of_all().match(caller)) {
        const std::string caller_text = spam->pattern.to_string();
        return denying(
            {.action = Drop{.spam = true},
             .user = {},
             .why = fmt::format("spam list of all users: caller {} -> {}", caller_text, drop_text(*spam))},
            spam->deny_seconds, "spam " + caller_text);
    }
    const auto callee = AddressOfRecord::parse(query.callee);
    const Directory::Entry* entry = callee ? directory_.find_callee(*callee) : nullptr;
    if (entry == nullptr) {
        return unknown_callee(query);
    }

    std::string why;
    std::string target; // "" = not forwarded
    std::vector<const Directory::Entry*> asked;
    while (true) {
        const User& user = entry->user;
        const auto decided = [&](auto action, std::string_view reason) {
            return Decision{.action = std::move(action), .user = user.name, .why = why + std::string(reason)};
        };
        if (const auto spam = entry->spam.match(caller)) {
            const std::string caller_text = spam->pattern.to_string();
            return denying(decided(Drop{.spam = true}, fmt::format("spam list of user {}: caller {} -> {}",
                                                                   user.name, caller_text, drop_text(*spam))),
                           spam->deny_seconds, "spam " + caller_text);
        }
        asked.push_back(entry);
        const Verdict verdict = judge(directory_, user, caller, query.at);
        switch (verdict.treatment->action) {
        case Treatment::Action::drop:
            return denying(decided(Drop{}, verdict.why), verdict.treatment->deny_seconds, verdict.where);
        case Treatment::Action::reject:
            return denying(decided(Reject{verdict.treatment->status, {}}, verdict.why),
                           verdict.treatment->deny_seconds, verdict.where);
        case Treatment::Action::accept: {
            auto terminals = terminals_of(*entry, query.at);
            if (terminals.empty() && settings_.unlocated == Settings::Unlocated::reject) {
                return decided(Reject{480, {}},
                               verdict.why +
                                   fmt::format("; user {} has no location -> reject 480", user.name));
            }
            if (target.empty()) {
                return decided(Accept{std::move(terminals)}, verdict.why);
            }
            return decided(Forward{target, std::move(terminals)}, verdict.why);
        }
        case Treatment::Action::forward:
            break;
        }
        target = verdict.treatment->target;
        const auto next = AddressOfRecord::parse(target);
        const Directory::Entry* follower = next ? directory_.find_callee(*next) : nullptr;
        if (follower == nullptr) {
            return decided(Forward{target, {}}, verdict.why);
        }
        if (std::ranges::find(asked, follower) != asked.end()) {
            return decided(Reject{482, {}},
                           verdict.why + fmt::format("; a loop: user {} was asked before -> reject 482",
                                                     follower->user.name));
        }
        if (asked.size() > max_hops) {
            return decided(Reject{482, {}},
                           verdict.why + fmt::format("; more than {} forwards -> reject 482", max_hops));
        }
        why += verdict.why + "; ";
        entry = follower;
    }
}

} // namespace stem::sm
