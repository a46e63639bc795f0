// SPDX-License-Identifier: Apache-2.0
#include "sm/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace stem::sm {
namespace {

constexpr std::int64_t idle = 3600; // s

std::int64_t second_of(TimePoint at) {
    return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}

void look_at(std::vector<Finding>& findings, const Limit& limit, const std::string& user, const char* what,
             const Levels& levels, std::int64_t value) {
    const bool critical = levels.critical && value > *levels.critical;
    if (critical || (levels.warning && value > *levels.warning)) {
        findings.push_back({.limit = limit.name,
                            .user = user,
                            .what = what,
                            .value = value,
                            .level = critical ? *levels.critical : *levels.warning,
                            .critical = critical});
    }
}

} // namespace

std::string Finding::to_string() const {
    return fmt::format("limit {} of user {}: {} {}, and {} is its {} level", limit, user, what, value, level,
                       critical ? "critical" : "warning");
}

Outgoing Limits::outgoing_of(const Directory& directory, const std::string& caller,
                             const std::string& callee) {
    Outgoing call{.user = std::string(any_caller), .callee = callee, .number = {}};
    if (const auto from = AddressOfRecord::parse(caller)) {
        if (const auto* entry = directory.find_callee(*from)) {
            call.user = entry->user.name;
        }
    }
    if (const auto to = AddressOfRecord::parse(callee)) {
        const auto number = to->number();
        call.number = number.value_or(to->dialled());
        call.callee = number.value_or(to->to_string());
    } else {
        const std::string scheme = to_lower(std::string_view(callee).substr(0, callee.find(':')));
        call.unreadable = scheme == "sip" || scheme == "sips" || scheme == "tel";
    }
    return call;
}

bool Limits::covers(const Limit& limit, const Outgoing& call, TimePoint now) {
    return (limit.user.empty() || limit.user == call.user) &&
           (call.unreadable || call.number.starts_with(limit.prefix)) &&
           (!limit.when || limit.when->contains(now));
}

std::string Limits::counter(const Limit& limit, const std::string& user) {
    return fmt::format("limit {} of {}", limit.name, user);
}

std::vector<Finding> Limits::judge(const Limit& limit, const Outgoing& call, const Calls& calls,
                                   TimePoint now) const {
    std::vector<Finding> findings;
    const UsageKey key(limit.name, call.user);
    look_at(findings, limit, call.user, "calls_per_minute", limit.calls_per_minute, sum(key, now) + 1);
    look_at(findings, limit, call.user, "concurrent", limit.concurrent,
            calls.count(counter(limit, call.user)) + 1);
    look_at(findings, limit, call.user, "sequential", limit.sequential, in_a_row(key, call.callee) + 1);
    return findings;
}

void Limits::count(const Calls::Key& key, const Limit& limit, const Outgoing& call, TimePoint now) {
    UsageKey whose(limit.name, call.user);
    Usage& usage = usage_[whose];
    const std::int64_t second = second_of(now);
    usage.move_to(second);
    ++usage.begun[static_cast<std::size_t>(second % window)];
    usage.add_to_row(call.callee, now);
    changed_ = true;
    if (!key.second.empty()) {
        note(key, {.usage = std::move(whose), .at = now, .row_id = usage.row.id});
    }
}

void Limits::note(const Calls::Key& key, Counted counted) {
    auto found = open_.find(key);
    if (found == open_.end()) {
        if (open_.size() >= most_open) {
            settle(Calls::Key(ages_.front()));
        }
        found = open_.emplace(key, Open{.counted = {}, .age = ages_.insert(ages_.end(), key)}).first;
    }
    found->second.counted.push_back(std::move(counted));
}

void Limits::take_back(const Calls::Key& key) {
    const auto found = open_.find(key);
    if (found == open_.end()) {
        return;
    }
    for (const Counted& counted : found->second.counted) {
        if (const auto usage = usage_.find(counted.usage); usage != usage_.end()) {
            usage->second.take_back(counted.at, counted.row_id);
        }
    }
    changed_ = true;
    settle(key);
}

void Limits::settle(const Calls::Key& key) {
    if (const auto found = open_.find(key); found != open_.end()) {
        ages_.erase(found->second.age);
        open_.erase(found);
    }
}

bool Limits::is_to_come_again(std::string_view cause) {
    return cause == "failed with 401" || cause == "failed with 407";
}

void Limits::Usage::add_to_row(const std::string& callee, TimePoint at) {
    if (row.calls == 0 || row.callee != callee) {
        const TimePoint broken = row.last();
        if (row.calls > 0) {
            before = std::move(row);
        }
        row = Row{{.callee = callee, .calls = 0, .times = {}, .broken = broken}, ++rows};
    }
    ++row.calls;
    if (row.times.size() == CallRow::most_times) {
        row.times.erase(row.times.begin());
    }
    // A clock that was set back does not change the order.
    row.times.push_back(std::max(at, row.last()));
}

void Limits::Row::take_back(TimePoint at) {
    if (--calls < times.size()) {
        const auto counted = std::ranges::find(times, at);
        times.erase(counted == times.end() ? times.begin() : counted);
    }
}

void Limits::Usage::take_back(TimePoint at, std::uint64_t row_id) {
    const std::int64_t second = second_of(at);
    if (second <= newest && second > newest - window) {
        auto& count = begun[static_cast<std::size_t>(second % window)];
        count -= count > 0 ? 1U : 0U; // 0: the clock was set back between
    }
    if (row_id == row.id && row.calls > 0) {
        row.take_back(at);
        if (row.calls == 0 && before.calls > 0) {
            row = std::exchange(before, {});
        }
    } else if (row_id == before.id && before.calls > 0) {
        before.take_back(at);
        row.broken = before.last();
    }
}

void Limits::Usage::move_to(std::int64_t second) {
    if (second <= newest - window) { // the clock was set back
        begun = {};
        newest = second;
    }
    for (std::int64_t next = std::max(newest, second - window) + 1; next <= second; ++next) {
        begun[static_cast<std::size_t>(next % window)] = 0;
    }
    newest = std::max(newest, second);
}

std::vector<std::pair<std::int64_t, std::uint32_t>> Limits::Usage::begun_until(std::int64_t second) const {
    std::vector<std::pair<std::int64_t, std::uint32_t>> seconds;
    if (second <= newest - window) { // the clock was set back
        return seconds;
    }
    for (std::int64_t at = std::max(newest, second) - window + 1; at <= newest; ++at) {
        if (const auto count = begun[static_cast<std::size_t>(at % window)]; count > 0) {
            seconds.emplace_back(at, count);
        }
    }
    return seconds;
}

std::uint32_t Limits::Usage::sum(std::int64_t second) const {
    std::uint32_t sum = 0;
    for (const auto& [at, count] : begun_until(second)) {
        sum += count;
    }
    return sum;
}

// With what others have counted; a call that by their clock is yet to come has been begun just now.
std::uint32_t Limits::sum(const UsageKey& key, TimePoint now) const {
    const std::int64_t second = second_of(now);
    const auto own = usage_.find(key);
    std::uint32_t sum = own == usage_.end() ? 0 : own->second.sum(second);
    for (const auto& [manager, usage] : others_) {
        if (const auto found = usage.find(key); found != usage.end()) {
            for (const auto& [begun, count] : found->second.begun) {
                sum += begun > second - window ? count : 0;
            }
        }
    }
    return sum;
}

std::uint32_t Limits::in_a_row(const UsageKey& key, std::string_view callee) const {
    std::vector<const CallRow*> rows;
    if (const auto own = usage_.find(key); own != usage_.end()) {
        rows.push_back(&own->second.row);
    }
    for (const auto& [manager, usage] : others_) {
        if (const auto found = usage.find(key); found != usage.end()) {
            rows.push_back(&found->second.row);
        }
    }
    return calls_in_a_row(rows, callee);
}

std::uint32_t Limits::calls_in_minute(const std::string& limit, const std::string& user,
                                      TimePoint now) const {
    return sum({limit, user}, now);
}

SharedUsage Limits::usage_to_share(const Directory& directory, TimePoint now) const {
    const std::int64_t second = second_of(now);
    std::vector<std::pair<const UsageKey*, const Usage*>> used;
    for (const auto& [key, usage] : usage_) {
        const auto limit = directory.limits().find(key.first);
        const bool wanted = limit != directory.limits().end() &&
                            (limit->second.sequential.any() ||
                             (limit->second.calls_per_minute.any() && usage.newest > second - window));
        if (wanted && usage.newest + idle >= second) {
            used.emplace_back(&key, &usage);
        }
    }
    if (used.size() > most_told) {
        std::ranges::nth_element(used, used.begin() + most_told, std::greater(),
                                 [](const auto& item) { return item.second->newest; });
        used.resize(most_told);
    }
    SharedUsage told;
    for (const auto& [key, usage] : used) {
        const Limit& limit = directory.limits().find(key->first)->second;
        ToldUsage& of_one = told[*key];
        if (limit.calls_per_minute.any()) {
            of_one.begun = usage->begun_until(second);
        }
        if (limit.sequential.any()) {
            of_one.row = static_cast<const CallRow&>(usage->row);
        }
    }
    return told;
}

void Limits::expire(TimePoint now) {
    const auto is_over = [&](std::int64_t newest) { return newest + idle < second_of(now); };
    std::erase_if(usage_, [&](const auto& item) { return is_over(item.second.newest); });
    for (auto& [manager, usage] : others_) {
        std::erase_if(usage, [&](const auto& item) {
            const ToldUsage& told = item.second;
            return is_over(
                std::max(told.begun.empty() ? 0 : told.begun.back().first, second_of(told.row.last())));
        });
    }
    std::erase_if(others_, [](const auto& item) { return item.second.empty(); });
    changed_ = true;
}

} // namespace stem::sm
