// SPDX-License-Identifier: Apache-2.0
#include "sm/directory.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

// Rules are read one after the other, for each call.
constexpr std::size_t max_rules = 1000;

Result<> check_position(std::string_view attempt, std::size_t position, std::size_t last) {
    if (position < 1 || position > last) {
        return not_found(std::string(attempt),
                         last == 0 ? fmt::format("no rule {}: the profile has none", position)
                                   : fmt::format("no rule {}: positions are 1 to {}", position, last),
                         "show the profile to see its rules");
    }
    return {};
}

Result<> room_for_regex(const PatternSet& list, const Pattern& caller, std::size_t more) {
    if (caller.kind() == Pattern::Kind::regex && list.regexes() + more > PatternSet::max_regexes) {
        return invalid(fmt::format("add spam caller '{}'", caller.to_string()),
                       fmt::format("the list would have more than {} expressions, which are tried one by one",
                                   PatternSet::max_regexes),
                       "write domains, numbers and prefixes where they will do");
    }
    return {};
}

auto at_position(std::vector<Rule>& rules, std::size_t position) {
    return rules.begin() + static_cast<std::ptrdiff_t>(position - 1);
}

} // namespace

const Profile* Directory::find_profile(std::string_view name) const {
    const auto at = profiles_.find(name);
    return at == profiles_.end() ? nullptr : &at->second;
}

Result<Profile*> Directory::writable_profile(std::string_view attempt, std::string_view name) {
    const auto at = profiles_.find(name);
    if (at == profiles_.end()) {
        return not_found(std::string(attempt), fmt::format("no profile '{}'", name),
                         "list the profiles to see their names");
    }
    return &at->second;
}

Result<> Directory::add_profile(Profile profile) {
    if (auto good = check_name("profile", profile.name); !good) {
        return good;
    }
    const std::string attempt = "add profile " + profile.name;
    if (profiles_.contains(profile.name)) {
        return conflict(attempt, "there is one of that name", "take another name, or change that profile");
    }
    if (auto good = profile.fallback.check(); !good) {
        return good;
    }
    if (auto good = check_max_calls(profile.max_calls); !good) {
        return good;
    }
    if (profile.rules.size() > max_rules) {
        return invalid(attempt, fmt::format("{} rules, at most {}", profile.rules.size(), max_rules));
    }
    for (const Rule& rule : profile.rules) {
        if (auto good = rule.then.check(); !good) {
            return good;
        }
    }
    if (auto written = store_.add_profile(profile); !written) {
        return written;
    }
    std::string name = profile.name;
    profiles_.emplace(std::move(name), std::move(profile));
    return {};
}

Result<> Directory::remove_profile(std::string_view name) {
    const std::string attempt = fmt::format("remove profile {}", name);
    const auto found = writable_profile(attempt, name);
    if (!found) {
        return std::unexpected(found.error());
    }
    const auto user =
        std::ranges::find_if(users_, [&](const auto& item) { return item.second.user.profile == name; });
    if (user != users_.end()) {
        return conflict(attempt, fmt::format("user '{}' has it", user->first),
                        "give its users another profile first");
    }
    if (auto written = store_.remove_profile(name); !written) {
        return written;
    }
    profiles_.erase(profiles_.find(name));
    return {};
}

Result<> Directory::set_fallback(std::string_view profile, const Treatment& fallback) {
    const auto found = writable_profile(fmt::format("change the default of profile {}", profile), profile);
    if (!found) {
        return std::unexpected(found.error());
    }
    if (auto good = fallback.check(); !good) {
        return good;
    }
    if (auto written = store_.set_fallback(profile, fallback); !written) {
        return written;
    }
    (*found)->fallback = fallback;
    return {};
}

Result<> Directory::set_max_calls(std::string_view profile, std::int64_t max_calls) {
    const auto found = writable_profile(fmt::format("change max_calls of profile {}", profile), profile);
    if (!found) {
        return std::unexpected(found.error());
    }
    if (auto good = check_max_calls(max_calls); !good) {
        return good;
    }
    if (auto written = store_.set_max_calls(profile, max_calls); !written) {
        return written;
    }
    (*found)->max_calls = max_calls;
    return {};
}

Result<Profile> Directory::profile(std::string_view name) const {
    const Profile* found = find_profile(name);
    if (found == nullptr) {
        return not_found(fmt::format("show profile {}", name), fmt::format("no profile '{}'", name),
                         "list the profiles to see their names");
    }
    return *found;
}

std::vector<Profile> Directory::profiles() const {
    std::vector<Profile> all;
    all.reserve(profiles_.size());
    for (const auto& [name, profile] : profiles_) {
        all.push_back(profile);
    }
    std::ranges::sort(all, {}, &Profile::name);
    return all;
}

Result<> Directory::write_rules(Profile& profile, std::vector<Rule> rules) {
    if (auto written = store_.replace_rules(profile.name, rules); !written) {
        return written;
    }
    profile.rules = std::move(rules);
    return {};
}

Result<std::size_t> Directory::add_rule(std::string_view profile, const Rule& rule,
                                        std::optional<std::size_t> position) {
    const std::string attempt = fmt::format("add a rule to profile {}", profile);
    const auto found = writable_profile(attempt, profile);
    if (!found) {
        return std::unexpected(found.error());
    }
    std::vector<Rule> rules = (*found)->rules;
    const std::size_t at = position.value_or(rules.size() + 1);
    if (at < 1 || at > rules.size() + 1) {
        return invalid(attempt, fmt::format("position {} is not in 1..{}", at, rules.size() + 1),
                       "leave it away to add behind the last");
    }
    if (auto good = rule.then.check(); !good) {
        return std::unexpected(good.error());
    }
    if (rules.size() >= max_rules) {
        return invalid(attempt, fmt::format("it has {} rules already, which is the most", max_rules));
    }
    rules.insert(at_position(rules, at), rule);
    if (auto written = write_rules(**found, std::move(rules)); !written) {
        return std::unexpected(written.error());
    }
    return at;
}

Result<> Directory::replace_rule(std::string_view profile, std::size_t position, const Rule& rule) {
    const std::string attempt = fmt::format("change rule {} of profile {}", position, profile);
    const auto found = writable_profile(attempt, profile);
    if (!found) {
        return std::unexpected(found.error());
    }
    std::vector<Rule> rules = (*found)->rules;
    if (auto good = check_position(attempt, position, rules.size()); !good) {
        return good;
    }
    if (auto good = rule.then.check(); !good) {
        return good;
    }
    *at_position(rules, position) = rule;
    return write_rules(**found, std::move(rules));
}

Result<> Directory::remove_rule(std::string_view profile, std::size_t position) {
    const std::string attempt = fmt::format("remove rule {} of profile {}", position, profile);
    const auto found = writable_profile(attempt, profile);
    if (!found) {
        return std::unexpected(found.error());
    }
    std::vector<Rule> rules = (*found)->rules;
    if (auto good = check_position(attempt, position, rules.size()); !good) {
        return good;
    }
    rules.erase(at_position(rules, position));
    return write_rules(**found, std::move(rules));
}

Result<> Directory::move_rule(std::string_view profile, std::size_t from, std::size_t to) {
    const std::string attempt = fmt::format("move rule {} of profile {} to {}", from, profile, to);
    const auto found = writable_profile(attempt, profile);
    if (!found) {
        return std::unexpected(found.error());
    }
    std::vector<Rule> rules = (*found)->rules;
    for (const std::size_t position : {from, to}) {
        if (auto good = check_position(attempt, position, rules.size()); !good) {
            return good;
        }
    }
    const Rule moved = *at_position(rules, from);
    rules.erase(at_position(rules, from));
    rules.insert(at_position(rules, to), moved);
    return write_rules(**found, std::move(rules));
}

Result<> Directory::add_spam(SpamEntry spam) {
    const std::string attempt = fmt::format("add spam caller '{}'", spam.caller.to_string());
    PatternSet* list = &spam_of_all_;
    if (!spam.user.empty()) {
        const auto found = entry(attempt, spam.user);
        if (!found) {
            return std::unexpected(found.error());
        }
        list = &(*found)->spam;
    }
    if (auto good = check_text("note", spam.note, 256); !good) {
        return good;
    }
    if (auto good = check_deny_seconds(spam.deny_seconds); !good) {
        return good;
    }
    if (list->contains(spam.caller)) {
        return conflict(attempt, "it is on that list already");
    }
    if (auto room = room_for_regex(*list, spam.caller, 1); !room) {
        return room;
    }
    if (auto written = store_.add_spam(spam); !written) {
        return written;
    }
    list->insert(spam.caller, spam.deny_seconds);
    spam_.push_back(std::move(spam));
    return {};
}

std::expected<std::size_t, Directory::SpamFault> Directory::add_spam(std::string_view user,
                                                                     std::vector<SpamEntry> entries) {
    const auto at_fault = [](std::size_t place, Error error) {
        return std::unexpected(SpamFault{place, std::move(error)});
    };
    PatternSet* list = &spam_of_all_;
    if (!user.empty()) {
        const auto found = entry("add spam callers", user);
        if (!found) {
            return at_fault(0, found.error());
        }
        list = &(*found)->spam;
    }
    StringSet seen;
    std::vector<SpamEntry> fresh;
    std::size_t regexes = 0;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        SpamEntry& spam = entries[i];
        regexes += spam.caller.kind() == Pattern::Kind::regex ? 1U : 0U;
        auto good = check_text("note", spam.note, 256);
        good = good ? check_deny_seconds(spam.deny_seconds) : good;
        good = good ? room_for_regex(*list, spam.caller, regexes) : good;
        if (!good) {
            return at_fault(i, good.error());
        }
        if (!list->contains(spam.caller) && seen.insert(spam.caller.to_string()).second) {
            spam.user = user;
            fresh.push_back(std::move(spam));
        }
    }
    if (auto written = store_.add_spam(fresh); !written) {
        return at_fault(entries.size(), written.error());
    }
    for (SpamEntry& spam : fresh) {
        list->insert(spam.caller, spam.deny_seconds);
        spam_.push_back(std::move(spam));
    }
    return fresh.size();
}

Result<> Directory::remove_spam(const Pattern& caller, std::string_view user) {
    const std::string attempt = fmt::format("remove spam caller '{}'", caller.to_string());
    PatternSet* list = &spam_of_all_;
    if (!user.empty()) {
        const auto found = entry(attempt, user);
        if (!found) {
            return std::unexpected(found.error());
        }
        list = &(*found)->spam;
    }
    if (!list->contains(caller)) {
        return not_found(attempt,
                         user.empty() ? std::string("it is not on the list of all users")
                                      : fmt::format("it is not on the list of user '{}'", user),
                         "list the spam callers to see them");
    }
    const SpamEntry entry{.caller = caller, .user = std::string(user), .note = {}};
    if (auto written = store_.remove_spam(entry); !written) {
        return written;
    }
    list->erase(caller);
    std::erase_if(spam_,
                  [&](const SpamEntry& old) { return old.caller == caller && old.user == entry.user; });
    return {};
}

std::vector<SpamEntry> Directory::spam(const std::optional<std::string>& user) const {
    std::vector<SpamEntry> list;
    std::ranges::copy_if(spam_, std::back_inserter(list),
                         [&](const SpamEntry& spam) { return !user || spam.user == *user; });
    return list;
}

} // namespace stem::sm
