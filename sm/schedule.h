// SPDX-License-Identifier: Apache-2.0
// A weekly window in local time: "mon-fri 08:00-18:00", "sat,sun", "22:00-06:00".
#pragma once

#include <stem/error.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace stem::sm {

class Schedule {
  public:
    // Minutes after midnight, local time; the end is not part of the window. `from` > `to` spans midnight and
    // belongs to the day on which it begins: "fri 22:00-06:00" ends on Saturday morning.
    struct Hours {
        int from = 0;     // 0..1439
        int to = 24 * 60; // 1..1440; never equal to `from`
        bool operator==(const Hours&) const = default;
    };

    // Days (mon tue wed thu fri sat sun; lists and ranges, also over the week's end), hours, or both.
    static Result<Schedule> parse(std::string_view text);
    // `days`: bit 0 is Monday. Fails on no day, days beyond Sunday and hours out of range.
    static Result<Schedule> make(unsigned days, std::optional<Hours> hours);

    // By the clock on the wall: the zone is the system's (TZ, /etc/localtime), with its summer time.
    [[nodiscard]] bool contains(std::chrono::system_clock::time_point at) const;

    [[nodiscard]] unsigned days() const noexcept { return days_; }
    [[nodiscard]] const std::optional<Hours>& hours() const noexcept { return hours_; }
    [[nodiscard]] std::string to_string() const; // parse() reads it back

    bool operator==(const Schedule&) const = default;

  private:
    Schedule(unsigned days, std::optional<Hours> hours) : days_(days), hours_(hours) {}

    unsigned days_;
    std::optional<Hours> hours_; // nullopt = the whole day
};

// "Mon 09:00": the clock on the wall, as a Schedule reads it.
std::string local_time_of_week(std::chrono::system_clock::time_point at);

} // namespace stem::sm
