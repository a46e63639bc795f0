// SPDX-License-Identifier: Apache-2.0
// Points in time as text: RFC 3339 in UTC, whole seconds.
#pragma once

#include <stem/error.h>

#include <chrono>
#include <string>
#include <string_view>

namespace stem::sm {

std::string to_timestamp(std::chrono::system_clock::time_point at); // "2026-11-23T08:00:00Z"
// Reads that form, years 1970 to 2200, or seconds since 1970.
Result<std::chrono::system_clock::time_point> parse_timestamp(std::string_view text);

} // namespace stem::sm
