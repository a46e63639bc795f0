// SPDX-License-Identifier: Apache-2.0
// Times, rates and sizes as people read and write them.
#pragma once

#include <stem/error.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace stem::stemctl {

// "12 s", "3 min", "5 h", "2 d": whole units, rounded down.
std::string duration_text(std::chrono::nanoseconds duration);
// "12 s ago"; "never" for 0. Both of CLOCK_MONOTONIC.
std::string ago_text(std::uint64_t then_ns, std::uint64_t now_ns);
// "87 kb/s" from bytes a second; "unlimited" for 0.
std::string rate_text(std::uint64_t bytes_per_second);
// "512 B", "1.5 MB", in powers of 1000.
std::string size_text(std::uint64_t bytes);
// "2026-01-31 23:59:59" in local time; with a "T" between, milliseconds and a "Z" in UTC for scripts.
std::string local_time_text(std::uint64_t realtime_ns);
std::string utc_time_text(std::uint64_t realtime_ns);

// "90s", "10m", "2h", "7d": a whole number above zero and a unit; at most ten years.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

} // namespace stem::stemctl
