// SPDX-License-Identifier: Apache-2.0
#include "sm/limits.h"

#include <fmt/format.h>

#include <algorithm>

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
    const auto found = usage_.find({limit.name, call.user});
    const Usage* usage = found == usage_.end() ? nullptr : &found->second;
    const auto begun = usage == nullptr ? 0 : usage->sum(second_of(now));
    const auto in_a_row = usage == nullptr || usage->row.callee != call.callee ? 0 : usage->row.calls;
    look_at(findings, limit, call.user, "calls_per_minute", limit.calls_per_minute, begun + 1);
    look_at(findings, limit, call.user, "concurrent", limit.concurrent,
            calls.count(counter(limit, call.user)) + 1);
    look_at(findings, limit, call.user, "sequential", limit.sequential, in_a_row + 1);
    return findings;
}

void Limits::count(const Calls::Key& key, const Limit& limit, const Outgoing& call, TimePoint now) {
    UsageKey whose(limit.name, call.user);
    Usage& usage = usage_[whose];
    const std::int64_t second = second_of(now);
    usage.move_to(second);
    ++usage.begun[static_cast<std::size_t>(second % window)];
    usage.add_to_row(call.callee);
    if (!key.second.empty()) {
        note(key, {.usage = std::move(whose), .second = second, .row_id = usage.row.id});
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
            usage->second.take_back(counted.second, counted.row_id);
        }
    }
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

void Limits::Usage::add_to_row(const std::string& callee) {
    if (row.calls == 0 || row.callee != callee) {
        if (row.calls > 0) {
            before = std::move(row);
        }
        row = {.id = ++rows, .callee = callee, .calls = 0};
    }
    ++row.calls;
}

void Limits::Usage::take_back(std::int64_t second, std::uint64_t row_id) {
    if (second <= newest && second > newest - window) {
        auto& count = begun[static_cast<std::size_t>(second % window)];
        count -= count > 0 ? 1U : 0U; // 0: the clock was set back between
    }
    if (row_id == row.id && row.calls > 0) {
        if (--row.calls == 0 && before.calls > 0) {
            row = std::exchange(before, {});
        }
    } else if (row_id == before.id && before.calls > 0) {
        --before.calls;
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

std::uint32_t Limits::Usage::sum(std::int64_t second) const {
    Usage moved;
    moved.begun = begun;
    moved.newest = newest;
    moved.move_to(second);
    std::uint32_t sum = 0;
    for (const std::uint32_t count : moved.begun) {
        sum += count;
    }
    return sum;
}

std::uint32_t Limits::calls_in_minute(const std::string& limit, const std::string& user,
                                      TimePoint now) const {
    const auto found = usage_.find({limit, user});
    return found == usage_.end() ? 0 : found->second.sum(second_of(now));
}

void Limits::expire(TimePoint now) {
    std::erase_if(usage_, [&](const auto& item) { return item.second.newest + idle < second_of(now); });
}

} // namespace stem::sm
