// SPDX-License-Identifier: Apache-2.0
// A call as JSON; docs/api.md has the fields.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/call/monitor.h"

namespace stem::api {

// Both at the same moment: calls carry monotonic times, people read the other.
struct Now {
    std::uint64_t monotonic_ns = 0;
    std::uint64_t realtime_ns = 0; // since 1970
};

// A call's number as the log and JSON have it: hexadecimal. Text, because a reader of JSON may keep numbers
// as doubles.
std::string id_text(std::uint64_t id);
std::optional<std::uint64_t> id_from(std::string_view text);
boost::json::object to_json(const call::DialogInfo& dialog, const Now& now);
// "2026-03-01T12:00:00Z"
std::string utc(std::uint64_t realtime_ns);

} // namespace stem::api
