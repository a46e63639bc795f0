// SPDX-License-Identifier: Apache-2.0
#include "sm/timestamp.h"

#include "sm/failure.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace stem::sm {
namespace {

using std::chrono::system_clock;

constexpr std::int64_t last_second = 7'258'118'400; // 2200-01-01, still within the clock's nanoseconds

template<typename Number>
bool read(std::string_view text, Number& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

} // namespace

std::string to_timestamp(system_clock::time_point at) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
    const auto day = std::chrono::floor<std::chrono::days>(seconds);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(seconds - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       time.hours().count(), time.minutes().count(), time.seconds().count());
}

Result<system_clock::time_point> parse_timestamp(std::string_view text) {
    const auto bad = [&] {
        return invalid(fmt::format("read time '{}'", text.substr(0, 80)), "not a point in time",
                       "write 2026-11-23T08:00:00Z or seconds since 1970");
    };
    std::int64_t seconds = 0;
    if (read(text, seconds)) {
        if (seconds < 0 || seconds > last_second) {
            return bad();
        }
        return system_clock::time_point(std::chrono::seconds(seconds));
    }
    constexpr std::string_view shape = "dddd-dd-ddTdd:dd:ddZ";
    if (text.size() != shape.size()) {
        return bad();
    }
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == 'd' ? !digit : text[i] != shape[i]) {
            return bad();
        }
    }
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    read(text.substr(0, 4), year);
    read(text.substr(5, 2), month);
    read(text.substr(8, 2), day);
    read(text.substr(11, 2), hour);
    read(text.substr(14, 2), minute);
    read(text.substr(17, 2), second);
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                           std::chrono::day(day)};
    if (!date.ok() || year < 1970 || year > 2199 || hour > 23 || minute > 59 || second > 59) {
        return bad();
    }
    return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
           std::chrono::seconds(second);
}

} // namespace stem::sm
