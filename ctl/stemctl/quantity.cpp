// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/quantity.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <ctime>

namespace stem::stemctl {
namespace {

using std::chrono::seconds;

constexpr seconds minute{60};
constexpr seconds hour{3600};
constexpr seconds day{86400};
constexpr seconds longest = 3650 * day;

std::tm broken_down(std::uint64_t realtime_ns, bool utc) {
    const auto time = static_cast<std::time_t>(realtime_ns / 1'000'000'000U);
    std::tm parts{};
    utc ? gmtime_r(&time, &parts) : localtime_r(&time, &parts);
    return parts;
}

} // namespace

std::string duration_text(std::chrono::nanoseconds duration) {
    const auto whole = std::chrono::duration_cast<seconds>(duration);
    if (whole < 2 * minute) {
        return fmt::format("{} s", whole.count());
    }
    if (whole < 2 * hour) {
        return fmt::format("{} min", whole / minute);
    }
    if (whole < 2 * day) {
        return fmt::format("{} h", whole / hour);
    }
    return fmt::format("{} d", whole / day);
}

std::string ago_text(std::uint64_t then_ns, std::uint64_t now_ns) {
    if (then_ns == 0) {
        return "never";
    }
    const auto age = now_ns > then_ns ? static_cast<std::int64_t>(now_ns - then_ns) : 0;
    return duration_text(std::chrono::nanoseconds(age)) + " ago";
}

std::string rate_text(std::uint64_t bytes_per_second) {
    return bytes_per_second == 0 ? "unlimited" : fmt::format("{} kb/s", bytes_per_second * 8 / 1000);
}

std::string size_text(std::uint64_t bytes) {
    constexpr double step = 1000;
    auto amount = static_cast<double>(bytes);
    if (amount < step) {
        return fmt::format("{} B", bytes);
    }
    for (const char* unit : {"kB", "MB", "GB"}) {
        amount /= step;
        if (amount < step) {
            return fmt::format("{:.1f} {}", amount, unit);
        }
    }
    return fmt::format("{:.1f} TB", amount / step);
}

std::string local_time_text(std::uint64_t realtime_ns) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", broken_down(realtime_ns, false));
}

std::string utc_time_text(std::uint64_t realtime_ns) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", broken_down(realtime_ns, true),
                       realtime_ns / 1'000'000U % 1000U);
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const seconds each = unit == "s"   ? seconds(1)
                         : unit == "m" ? minute
                         : unit == "h" ? hour
                         : unit == "d" ? day
                                       : seconds(0);
    if (status != std::errc{} || number <= 0 || each.count() == 0 || number > longest / each) {
        return fail("read duration '" + std::string(text) + "'",
                    "not a whole number with a unit, above zero and at most ten years",
                    "write 90s, 10m, 2h or 7d");
    }
    return number * each;
}

} // namespace stem::stemctl
