// SPDX-License-Identifier: Apache-2.0
#include "sm/thresholds.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <algorithm>

namespace stem::sm {
namespace {

constexpr std::size_t longest_name = 32;
constexpr char group_mark = '@';
constexpr std::size_t most_in_group = 10000;
constexpr const char* group_change = "group"; // no threshold is called so: in the history, a change of groups
constexpr const char* where_listed = "stemctl thresholds list shows them";

Result<const ThresholdInfo*> find(std::string_view attempt, std::string_view name) {
    if (const auto* info = find_threshold(name)) {
        return info;
    }
    return not_found(fmt::format("{} '{}'", attempt, name.substr(0, 80)), "there is no such threshold",
                     where_listed);
}

std::string whose(std::string_view firewall) {
    return firewall.empty()                   ? "the default group"
           : firewall.starts_with(group_mark) ? fmt::format("group '{}'", firewall.substr(1))
                                              : fmt::format("firewall '{}'", firewall);
}

} // namespace

std::string_view name_of(Thresholds::Origin origin) {
    switch (origin) {
    case Thresholds::Origin::list:
        break;
    case Thresholds::Origin::group:
        return "group";
    case Thresholds::Origin::named_group:
        return "named group";
    case Thresholds::Origin::firewall:
        return "firewall";
    }
    return "default";
}

Result<> check_firewall_name(std::string_view name) {
    const bool plain = std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_';
    });
    if (plain && name.size() <= longest_name) {
        return {};
    }
    return invalid(fmt::format("read firewall name '{}'", name.substr(0, 80)), "not a name",
                   "write 1 to 32 letters, digits, '-' and '_', or leave it away for the default group");
}

Result<> check_scope(std::string_view scope) {
    if (!scope.starts_with(group_mark)) {
        return check_firewall_name(scope);
    }
    scope.remove_prefix(1);
    return scope.empty() ? invalid("read group name ''", "it is empty", "name a group")
                         : check_firewall_name(scope);
}

void Thresholds::fill_groups(const std::vector<FirewallGroup>& groups) {
    group_of_.clear();
    for (const FirewallGroup& group : groups) {
        for (const std::string& firewall : group.firewalls) {
            group_of_[firewall] = group.name;
        }
    }
}

std::vector<FirewallGroup> Thresholds::groups() const {
    std::map<std::string, std::vector<std::string>> by_name;
    for (const auto& [firewall, group] : group_of_) {
        by_name[group].push_back(firewall);
    }
    std::vector<FirewallGroup> list;
    list.reserve(by_name.size());
    for (auto& [name, firewalls] : by_name) {
        list.push_back({name, std::move(firewalls)});
    }
    return list;
}

std::string Thresholds::group_of(std::string_view firewall) const {
    const auto found = group_of_.find(firewall);
    return found == group_of_.end() ? std::string() : found->second;
}

Result<> Thresholds::put_group(const FirewallGroup& group, TimePoint now, std::string_view who) {
    if (auto good = check_scope(group_mark + group.name); !good) {
        return good;
    }
    if (group.firewalls.size() > most_in_group) {
        return invalid("write group " + group.name,
                       fmt::format("{} firewalls, at most {}", group.firewalls.size(), most_in_group));
    }
    for (const std::string& firewall : group.firewalls) {
        if (auto good = firewall.empty() ? invalid("read a firewall's name", "it is empty")
                                         : check_firewall_name(firewall);
            !good) {
            return good;
        }
    }
    if (auto written = store_.put_group(group); !written) {
        return written;
    }
    std::erase_if(group_of_, [&](const auto& item) { return item.second == group.name; });
    for (const std::string& firewall : group.firewalls) {
        group_of_[firewall] = group.name;
    }
    // Firewalls know what they have by its version.
    if (auto written = write({.firewall = group_mark + group.name,
                              .name = group_change,
                              .value = std::nullopt,
                              .at = now,
                              .who = std::string(who)});
        !written) {
        return written;
    }
    return tell();
}

void Thresholds::fill(std::vector<ThresholdChange> settings, std::int64_t version) {
    set_.clear();
    version_ = version;
    for (auto& change : settings) {
        if (change.value) {
            std::pair key(change.firewall, change.name);
            set_.insert_or_assign(std::move(key), std::move(change));
        }
    }
}

const ThresholdChange* Thresholds::usable(std::string_view firewall, const ThresholdInfo& info) const {
    const auto found = set_.find({std::string(firewall), std::string(info.name)});
    return found != set_.end() && check_threshold(info, *found->second.value) ? &found->second : nullptr;
}

Thresholds::InForce Thresholds::resolve(std::string_view firewall, const ThresholdInfo& info) const {
    const bool is_group = firewall.starts_with(group_mark);
    if (!firewall.empty()) {
        if (const auto* own = usable(firewall, info)) {
            return {&info, static_cast<std::uint32_t>(*own->value),
                    is_group ? Origin::named_group : Origin::firewall, *own};
        }
    }
    if (const auto found = is_group ? group_of_.end() : group_of_.find(firewall); found != group_of_.end()) {
        if (const auto* shared = usable(group_mark + found->second, info)) {
            return {&info, static_cast<std::uint32_t>(*shared->value), Origin::named_group, *shared};
        }
    }
    if (const auto* group = usable({}, info)) {
        return {&info, static_cast<std::uint32_t>(*group->value), Origin::group, *group};
    }
    return {&info, info.initial, Origin::list, std::nullopt};
}

std::vector<Thresholds::InForce> Thresholds::in_force(std::string_view firewall) const {
    std::vector<InForce> list;
    for (const auto& info : stem::thresholds()) {
        list.push_back(resolve(firewall, info));
    }
    return list;
}

Result<Thresholds::InForce> Thresholds::in_force(std::string_view firewall, std::string_view name) const {
    const auto info = find("show threshold", name);
    if (!info) {
        return std::unexpected(info.error());
    }
    return resolve(firewall, **info);
}

stem_thresholds Thresholds::values(std::string_view firewall) const {
    stem_thresholds values{};
    for (const auto& info : stem::thresholds()) {
        values.*info.field = resolve(firewall, info).value;
    }
    return values;
}

std::vector<ThresholdChange> Thresholds::unusable() const {
    std::vector<ThresholdChange> list;
    for (const auto& [key, change] : set_) {
        const auto* info = find_threshold(change.name);
        if (info == nullptr || !check_threshold(*info, *change.value)) {
            list.push_back(change);
        }
    }
    return list;
}

Result<std::vector<ThresholdChange>> Thresholds::history(std::string_view name) const {
    return store_.threshold_history(name);
}

Result<> Thresholds::write(ThresholdChange change) {
    const auto version = store_.add_threshold_change(change);
    if (!version) {
        return std::unexpected(version.error());
    }
    change.version = version_ = *version;
    std::pair key(change.firewall, change.name);
    if (change.value) {
        set_.insert_or_assign(std::move(key), std::move(change));
    } else {
        set_.erase(key);
    }
    return {};
}

Result<> Thresholds::set(std::string_view firewall, std::string_view name, std::int64_t value, TimePoint now,
                         std::string_view who) {
    if (auto good = check_scope(firewall); !good) {
        return good;
    }
    const auto info = find("set threshold", name);
    if (!info) {
        return std::unexpected(info.error());
    }
    if (auto good = check_threshold(**info, value); !good) {
        return good;
    }
    if (auto written = write({.firewall = std::string(firewall),
                              .name = std::string(name),
                              .value = value,
                              .at = now,
                              .who = std::string(who)});
        !written) {
        return written;
    }
    return tell();
}

Result<> Thresholds::reset(std::string_view firewall, std::string_view name, TimePoint now,
                           std::string_view who) {
    if (!set_.contains({std::string(firewall), std::string(name)})) {
        if (const auto info = find("reset threshold", name); !info) {
            return std::unexpected(info.error());
        }
        return not_found(fmt::format("reset threshold '{}' of {}", name, whose(firewall)), "it was not set",
                         where_listed);
    }
    if (auto written = write({.firewall = std::string(firewall),
                              .name = std::string(name),
                              .value = std::nullopt,
                              .at = now,
                              .who = std::string(who)});
        !written) {
        return written;
    }
    return tell();
}

Result<std::size_t> Thresholds::reset_all(std::string_view firewall, TimePoint now, std::string_view who) {
    std::vector<std::string> names;
    for (const auto& [key, change] : set_) {
        if (key.first == firewall) {
            names.push_back(key.second);
        }
    }
    for (const auto& name : names) {
        if (auto written = write({.firewall = std::string(firewall),
                                  .name = name,
                                  .value = std::nullopt,
                                  .at = now,
                                  .who = std::string(who)});
            !written) {
            return std::unexpected(written.error());
        }
    }
    if (names.empty()) {
        return 0;
    }
    if (auto told = tell(); !told) {
        return std::unexpected(told.error());
    }
    return names.size();
}

} // namespace stem::sm
