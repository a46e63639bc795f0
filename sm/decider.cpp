// SPDX-License-Identifier: Apache-2.0
#include "sm/decider.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

// Tells whoever asks for the steps; what it costs to say it is paid only then.
template<typename Say>
void tell(Steps* steps, bool decided, const Say& say) {
    if (steps != nullptr) {
        auto [what, why] = say();
        steps->push_back({.what = std::move(what), .decided = decided, .why = std::move(why)});
    }
}
using Said = std::pair<std::string, std::string>;

bool is_registered(const Directory::Entry& entry, TimePoint at) {
    return std::ranges::any_of(entry.locations, [&](const Location& location) { return location.alive(at); });
}

std::string name_of(const Caller& caller) {
    return caller.address.empty() ? std::string("unreadable") : caller.address;
}

// Why a rule does not match, in words.
std::string mismatch(const Rule& rule, const Caller& caller, bool registered, TimePoint at) {
    if (!rule.caller.matches(caller)) {
        return fmt::format("the caller is {}, not {}", name_of(caller), rule.caller.to_string());
    }
    if (rule.when && !rule.when->contains(at)) {
        return fmt::format("{} is not within {}", local_time_of_week(at), rule.when->to_string());
    }
    return registered ? "the callee is registered" : "the callee is not registered";
}

Verdict judge(const Directory& directory, const Directory::Entry& entry, const Caller& caller, TimePoint at,
              Steps* steps) {
    static const Treatment accept;
    const User& user = entry.user;
    const Profile* profile = user.profile.empty() ? nullptr : directory.find_profile(user.profile);
    if (profile == nullptr) {
        tell(steps, true, [&] { return Said("profile of user " + user.name, "he has none -> accept"); });
        return {&accept, fmt::format("user {} has no profile -> accept", user.name), {}};
    }
    for (std::size_t i = 0; i < profile->rules.size(); ++i) {
        const Rule& rule = profile->rules[i];
        const auto where = [&] { return fmt::format("profile {} rule {}", profile->name, i + 1); };
        if (rule.caller.matches(caller) && (!rule.when || rule.when->contains(at)) &&
            (!rule.registered || *rule.registered == is_registered(entry, at))) {
            tell(steps, true, [&] { return Said(where(), rule.to_string()); });
            return {&rule.then, fmt::format("{}: {}", where(), rule.to_string()), where()};
        }
        tell(steps, false,
             [&] { return Said(where(), mismatch(rule, caller, is_registered(entry, at), at)); });
    }
    tell(steps, true, [&] {
        return Said(fmt::format("profile {} default", profile->name), profile->fallback.to_string());
    });
    return {&profile->fallback,
            fmt::format("profile {} default -> {}", profile->name, profile->fallback.to_string()),
            fmt::format("profile {} default", profile->name)};
}

std::string drop_text(const PatternSet::Match& spam) {
    return Treatment{.action = Treatment::Action::drop, .target = {}, .deny_seconds = spam.deny_seconds}
        .to_string();
}

std::vector<Address> terminals_of(const Directory::Entry& entry, TimePoint at) {
    // RFC 3261 16.6: from the highest qvalue to the lowest.
    std::vector<const Location*> living;
    for (const Location& location : entry.locations) {
        if (location.alive(at)) {
            living.insert(std::ranges::upper_bound(living, location.q, std::ranges::greater{}, &Location::q),
                          &location);
        }
    }
    std::vector<Address> addresses;
    for (const Location* location : living) {
        if (std::ranges::find(addresses, location->address) == addresses.end()) {
            addresses.push_back(location->address);
        }
    }
    return addresses;
}

} // namespace

Decision Decider::decide(const Query& query, Steps* steps) const {
    if (query.direction == STEM_INBOUND) {
        return inbound(query, steps);
    }
    tell(steps, true, [&] {
        switch (settings_.outgoing) {
        case Settings::Outgoing::reject:
            return Said("policy of outgoing calls", fmt::format("reject {}", settings_.outgoing_status));
        case Settings::Outgoing::challenge:
            return Said("policy of outgoing calls", std::string("challenge"));
        case Settings::Outgoing::accept:
            break;
        }
        return Said("policy of outgoing calls", std::string("accept"));
    });
    if (settings_.outgoing == Settings::Outgoing::accept) {
        return {.action = Accept{}, .user = {}, .why = "outgoing calls -> accept"};
    }
    if (settings_.outgoing == Settings::Outgoing::challenge) {
        return challenged(query);
    }
    return {.action = Reject{settings_.outgoing_status, {}},
            .user = {},
            .why = fmt::format("outgoing calls -> reject {}", settings_.outgoing_status)};
}

// Who asked us has still to find out who calls, and to ask again.
Decision Decider::challenged(const Query& query) const {
    if (!query.user.empty()) {
        return {.action = Accept{},
                .user = query.user,
                .why = fmt::format("outgoing call of user {} -> accept", query.user)};
    }
    const auto from = std::ranges::find_if(settings_.unchallenged, [&](const Cidr& network) {
        return query.source && network.contains(*query.source);
    });
    if (from != settings_.unchallenged.end()) {
        return {.action = Accept{},
                .user = {},
                .why = fmt::format("outgoing call from {}, which is not challenged -> accept",
                                   from->to_string())};
    }
    return {.action = Challenge{}, .user = {}, .why = "outgoing calls -> challenge"};
}

Decision Decider::unknown_callee(const Query& query, Steps* steps) const {
    const std::string who = fmt::format("no user has {}", query.callee);
    tell(steps, true, [&] { return Said("user who is called", who); });
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

Decision Decider::inbound(const Query& query, Steps* steps) const {
    const Caller caller(query.caller);
    const auto spam_of_all = directory_->spam_of_all().match(caller);
    tell(steps, spam_of_all.has_value(), [&] {
        return Said("spam list of all users",
                    spam_of_all ? fmt::format("caller {}", spam_of_all->pattern.to_string())
                                : fmt::format("none of its {} patterns is {}",
                                              directory_->spam_of_all().size(), name_of(caller)));
    });
    if (const auto& spam = spam_of_all) {
        const std::string caller_text = spam->pattern.to_string();
        return denying(
            {.action = Drop{.spam = true},
             .user = {},
             .why = fmt::format("spam list of all users: caller {} -> {}", caller_text, drop_text(*spam))},
            spam->deny_seconds, "spam " + caller_text);
    }
    const auto callee = AddressOfRecord::parse(query.callee);
    const Directory::Entry* entry = callee ? directory_->find_callee(*callee) : nullptr;
    if (entry == nullptr) {
        return unknown_callee(query, steps);
    }

    std::string why;
    std::string target; // "" = not forwarded
    std::string callee_text = query.callee;
    std::vector<const Directory::Entry*> asked;
    while (true) {
        const User& user = entry->user;
        const auto decided = [&](auto action, std::string_view reason) {
            return Decision{.action = std::move(action), .user = user.name, .why = why + std::string(reason)};
        };
        tell(steps, false, [&] {
            return Said("user who is called", fmt::format("{} is user {}", callee_text, user.name));
        });
        const auto spam = entry->spam.match(caller);
        tell(steps, spam.has_value(), [&] {
            return Said(
                "spam list of user " + user.name,
                spam ? fmt::format("caller {}", spam->pattern.to_string())
                     : fmt::format("none of its {} patterns is {}", entry->spam.size(), name_of(caller)));
        });
        if (spam) {
            const std::string caller_text = spam->pattern.to_string();
            return denying(decided(Drop{.spam = true}, fmt::format("spam list of user {}: caller {} -> {}",
                                                                   user.name, caller_text, drop_text(*spam))),
                           spam->deny_seconds, "spam " + caller_text);
        }
        asked.push_back(entry);
        const Verdict verdict = judge(*directory_, *entry, caller, query.at, steps);
        switch (verdict.treatment->action) {
        case Treatment::Action::drop:
            return denying(decided(Drop{}, verdict.why), verdict.treatment->deny_seconds, verdict.where);
        case Treatment::Action::reject:
            return denying(decided(Reject{verdict.treatment->status, {}}, verdict.why),
                           verdict.treatment->deny_seconds, verdict.where);
        case Treatment::Action::accept: {
            auto terminals = terminals_of(*entry, query.at);
            if (terminals.empty() && settings_.unlocated == Settings::Unlocated::reject) {
                tell(steps, true, [&] {
                    return Said("location of user " + user.name,
                                "none is known -> reject 480 ([sm] unlocated)");
                });
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
        callee_text = target;
        const auto next = AddressOfRecord::parse(target);
        const Directory::Entry* follower = next ? directory_->find_callee(*next) : nullptr;
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
