// SPDX-License-Identifier: Apache-2.0
#include "sm/shared_usage.h"

#include "sm/failure.h"
#include "sm/field_reader.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <limits>

namespace stem::sm {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr const char* attempt = "read what another Security Manager has counted of limits";
constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t latest = 4'102'444'800'000; // ms: the year 2100; far from what a TimePoint cannot hold

std::int64_t told_time(TimePoint at, milliseconds ahead) {
    return at == TimePoint() ? 0 : (std::chrono::floor<milliseconds>(at.time_since_epoch()) + ahead).count();
}

TimePoint our_time(std::int64_t told, milliseconds ahead) {
    return told == 0 ? TimePoint() : TimePoint(milliseconds(told) - ahead);
}

std::int64_t moved(std::int64_t second, milliseconds by) {
    return std::chrono::floor<std::chrono::seconds>(milliseconds(std::chrono::seconds(second)) + by).count();
}

// -1: it is none.
std::int64_t number_in(const json::value& value, std::int64_t highest) {
    boost::system::error_code out_of_range;
    const auto number = value.is_number() ? value.to_number<std::int64_t>(out_of_range) : -1;
    return out_of_range || number > highest ? -1 : number;
}

Result<std::pair<UsageKey, ToldUsage>> usage_from(const json::value& value, milliseconds ahead) {
    FieldReader fields(value, "usage of a limit",
                       {"limit", "user", "begun", "callee", "calls", "times", "broken"});
    std::pair<UsageKey, ToldUsage> told;
    auto& [key, usage] = told;
    key = {fields.required_text("limit"), fields.required_text("user")};
    usage.row.callee = fields.text("callee").value_or("");
    usage.row.calls = static_cast<std::uint32_t>(fields.integer("calls", 0, most).value_or(0));
    usage.row.broken = our_time(fields.integer("broken", 0, latest).value_or(0), ahead);
    const json::array* begun = fields.list("begun");
    const json::array* times = fields.list("times");
    if (fields.fault()) {
        return std::unexpected(*fields.fault());
    }
    for (const auto& item : begun == nullptr ? json::array() : *begun) {
        const auto* pair = item.if_array();
        const bool whole = pair != nullptr && pair->size() == 2;
        const auto second = whole ? number_in(pair->front(), latest / 1000) : -1;
        const auto count = whole ? number_in(pair->back(), most) : -1;
        if (second < 0 || count < 0) {
            return invalid(attempt, "'begun' has something else than seconds and counts");
        }
        usage.begun.emplace_back(moved(second, -ahead), static_cast<std::uint32_t>(count));
    }
    for (const auto& item : times == nullptr ? json::array() : *times) {
        const auto time = number_in(item, latest);
        if (time <= 0) {
            return invalid(attempt, "'times' has something else than times");
        }
        usage.row.times.push_back(our_time(time, ahead));
    }
    if (usage.row.times.size() > std::min<std::size_t>(usage.row.calls, CallRow::most_times) ||
        (usage.row.calls > 0 && usage.row.times.empty()) || !std::ranges::is_sorted(usage.row.times)) {
        return invalid(attempt, "'times' does not fit 'calls'");
    }
    return told;
}

} // namespace

std::uint32_t CallRow::calls_after(TimePoint at) const {
    if (times.empty() || at < times.front()) {
        return calls;
    }
    return static_cast<std::uint32_t>(times.end() - std::ranges::upper_bound(times, at));
}

std::string to_text(const SharedUsage& usage, milliseconds ahead) {
    json::array all;
    for (const auto& [key, told] : usage) {
        json::object item{{"limit", key.first}, {"user", key.second}};
        if (!told.begun.empty()) {
            json::array begun;
            for (const auto& [second, count] : told.begun) {
                begun.push_back(json::array{moved(second, ahead), count});
            }
            item["begun"] = std::move(begun);
        }
        if (told.row.calls > 0) {
            json::array times;
            for (const TimePoint at : told.row.times) {
                times.push_back(told_time(at, ahead));
            }
            item["callee"] = told.row.callee;
            item["calls"] = told.row.calls;
            item["times"] = std::move(times);
        }
        if (told.row.broken != TimePoint()) {
            item["broken"] = told_time(told.row.broken, ahead);
        }
        all.push_back(std::move(item));
    }
    return json::serialize(all);
}

Result<SharedUsage> shared_usage_from(std::string_view text, milliseconds ahead) {
    boost::system::error_code fault;
    const auto value = json::parse(text, fault);
    if (fault || !value.is_array()) {
        return invalid(attempt, "it is no JSON array");
    }
    SharedUsage usage;
    for (const auto& item : value.get_array()) {
        auto read = usage_from(item, ahead);
        if (!read) {
            return std::unexpected(read.error());
        }
        usage.insert_or_assign(std::move(read->first), std::move(read->second));
    }
    return usage;
}

std::uint32_t calls_in_a_row(std::span<const CallRow* const> rows, std::string_view callee) {
    std::uint32_t calls = 0;
    for (const CallRow* const row : rows) {
        if (row->callee != callee) {
            continue;
        }
        // What breaks a row from within has begun it anew already: only the others' calls count.
        TimePoint broken;
        for (const CallRow* const other : rows) {
            if (other != row) {
                broken = std::max(broken, other->last_to_another(callee));
            }
        }
        calls += row->calls_after(broken);
    }
    return calls;
}

} // namespace stem::sm
