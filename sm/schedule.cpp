// SPDX-License-Identifier: Apache-2.0
#include "sm/schedule.h"

#include "sm/failure.h"
#include "sm/uri.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace stem::sm {
namespace {

constexpr std::array<std::string_view, 7> day_names = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr unsigned all_days = 0x7f;
constexpr int day_minutes = 24 * 60;

std::unexpected<Error> bad_time(std::string_view text, std::string cause) {
    return invalid(fmt::format("read time window '{}'", text.substr(0, 80)), std::move(cause),
                   "write mon-fri 08:00-18:00, sat,sun or 22:00-06:00");
}

std::optional<unsigned> day_from(std::string_view name) {
    for (unsigned day = 0; day < day_names.size(); ++day) {
        if (day_names[day] == name) {
            return day;
        }
    }
    return std::nullopt;
}

// One or two digits of the hour, two of the minute; 24:00 is the end of the day.
std::optional<int> minute_from(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon < 1 || colon > 2 || text.size() != colon + 3) {
        return std::nullopt;
    }
    int parts[2] = {0, 0};
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i == colon) {
            continue;
        }
        if (text[i] < '0' || text[i] > '9') {
            return std::nullopt;
        }
        int& part = parts[i > colon ? 1 : 0];
        part = part * 10 + (text[i] - '0');
    }
    const int minute = parts[0] * 60 + parts[1];
    return parts[1] < 60 && minute <= day_minutes ? std::optional(minute) : std::nullopt;
}

Result<unsigned> days_from(std::string_view text, std::string_view list) {
    unsigned days = 0;
    while (true) {
        const auto comma = list.find(',');
        const std::string_view item = list.substr(0, comma);
        const auto dash = item.find('-');
        const auto first = day_from(item.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : day_from(item.substr(dash + 1));
        if (!first || !last) {
            return bad_time(text, fmt::format("'{}' is not a day or a range of days", item));
        }
        for (unsigned day = *first;; day = (day + 1) % 7) {
            days |= 1U << day;
            if (day == *last) {
                break;
            }
        }
        if (comma == std::string_view::npos) {
            return days;
        }
        list.remove_prefix(comma + 1);
    }
}

std::string days_to_string(unsigned days) {
    std::string text;
    for (unsigned day = 0; day < 7; ++day) {
        if ((days & (1U << day)) == 0) {
            continue;
        }
        unsigned last = day;
        while (last < 6 && (days & (1U << (last + 1))) != 0) {
            ++last;
        }
        text += fmt::format("{}{}", text.empty() ? "" : ",", day_names[day]);
        if (last > day) {
            text += fmt::format("{}{}", last > day + 1 ? "-" : ",", day_names[last]);
        }
        day = last;
    }
    return text;
}

} // namespace

Result<Schedule> Schedule::make(unsigned days, std::optional<Hours> hours) {
    if (days == 0 || days > all_days) {
        return bad_time(fmt::format("days {}", days), "no day of the week in it");
    }
    if (hours) {
        const auto [from, to] = *hours;
        const std::string text =
            fmt::format("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
        if (from < 0 || from >= day_minutes || to < 0 || to > day_minutes) {
            return bad_time(text, "out of 00:00 to 24:00");
        }
        if (from == to) {
            return bad_time(text, "begins when it ends; leave the hours away for the whole day");
        }
        if (to == 0) {
            hours->to = day_minutes;
        }
    }
    return Schedule(days, hours);
}

Result<Schedule> Schedule::parse(std::string_view text) {
    const std::string lower = to_lower(text);
    std::string_view rest = lower;
    std::optional<unsigned> days;
    std::optional<Hours> hours;
    while (true) {
        const auto begin = rest.find_first_not_of(' ');
        if (begin == std::string_view::npos) {
            break;
        }
        rest.remove_prefix(begin);
        const std::string_view word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(word.size());
        if (hours) {
            return bad_time(text, fmt::format("'{}' after the hours", word));
        }
        if (word.front() >= '0' && word.front() <= '9') {
            const auto dash = word.find('-');
            const auto from = minute_from(word.substr(0, dash));
            const auto to = dash == std::string_view::npos ? from : minute_from(word.substr(dash + 1));
            if (!from || !to || dash == std::string_view::npos) {
                return bad_time(text, fmt::format("'{}' is not a span of hours", word));
            }
            hours = Hours{*from, *to};
            continue;
        }
        if (days) {
            return bad_time(text, fmt::format("'{}' is not a span of hours", word));
        }
        const auto mask = days_from(text, word);
        if (!mask) {
            return std::unexpected(mask.error());
        }
        days = *mask;
    }
    if (!days && !hours) {
        return bad_time(text, "it is empty");
    }
    auto made = make(days.value_or(all_days), hours);
    return made ? made : bad_time(text, made.error().cause);
}

bool Schedule::contains(std::chrono::system_clock::time_point at) const {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
    std::tm local{};
    if (localtime_r(&seconds, &local) == nullptr) {
        return false;
    }
    const unsigned today = static_cast<unsigned>(local.tm_wday + 6) % 7; // tm_wday 0 is Sunday
    const unsigned yesterday = (today + 6) % 7;
    const bool begins_today = (days_ & (1U << today)) != 0;
    if (!hours_) {
        return begins_today;
    }
    const int minute = local.tm_hour * 60 + local.tm_min;
    if (hours_->from < hours_->to) {
        return begins_today && minute >= hours_->from && minute < hours_->to;
    }
    const bool began_yesterday = (days_ & (1U << yesterday)) != 0;
    return (begins_today && minute >= hours_->from) || (began_yesterday && minute < hours_->to);
}

std::string local_time_of_week(std::chrono::system_clock::time_point at) {
    constexpr std::array<std::string_view, 7> names = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
    std::tm local{};
    if (localtime_r(&seconds, &local) == nullptr) {
        return "an unreadable time";
    }
    return fmt::format("{} {:02}:{:02}", names[static_cast<std::size_t>(local.tm_wday)], local.tm_hour,
                       local.tm_min);
}

std::string Schedule::to_string() const {
    std::string text = days_ == all_days && hours_ ? "" : days_to_string(days_);
    if (hours_) {
        text += fmt::format("{}{:02}:{:02}-{:02}:{:02}", text.empty() ? "" : " ", hours_->from / 60,
                            hours_->from % 60, hours_->to / 60, hours_->to % 60);
    }
    return text;
}

} // namespace stem::sm
