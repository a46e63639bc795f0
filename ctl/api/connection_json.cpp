// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/connection_json.h"

#include <stem/reason.h>

namespace stem::api {
namespace {

namespace json = boost::json;

double seconds_since(std::uint64_t then_ns, std::uint64_t now_ns) {
    constexpr double ns_per_second = 1e9;
    return now_ns < then_ns ? 0.0 : static_cast<double>(now_ns - then_ns) / ns_per_second;
}

json::object to_json(const tcp::ConnectionInfo::Stream& stream) {
    return {{"octets", stream.octets},
            {"messages", stream.messages},
            {"discarded_octets", stream.discarded},
            {"waiting_octets", stream.waiting},
            {"held_octets", stream.held},
            {"unacknowledged_octets", stream.unsent},
            {"repeated_segments", stream.repeated}};
}

} // namespace

json::object to_json(const tcp::ConnectionInfo& connection, const Now& now) {
    const auto& ends = connection.ends;
    return {{"id", id_text(connection.id)},
            {"state", connection.phase},
            {"direction", label_of(connection.origin)},
            {"outside", ends.outside.to_string()},
            {"inside", ends.inside.to_string()},
            {"served_by",
             ends.served_by == ends.inside ? json::value(nullptr) : json::value(ends.served_by.to_string())},
            {"known", connection.known},
            {"age_seconds", seconds_since(connection.since_ns, now.monotonic_ns)},
            {"silent_seconds", seconds_since(connection.heard_ns, now.monotonic_ns)},
            {"inbound", to_json(connection.stream[STEM_INBOUND])},
            {"outbound", to_json(connection.stream[STEM_OUTBOUND])}};
}

} // namespace stem::api
