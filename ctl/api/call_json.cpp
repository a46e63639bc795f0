// SPDX-License-Identifier: Apache-2.0
#include "ctl/api/call_json.h"

#include <fmt/format.h>
#include <stem/reason.h>

#include <charconv>
#include <cmath>
#include <ctime>

namespace stem::api {
namespace {

namespace json = boost::json;

constexpr double ns_per_second = 1e9;

json::value seconds_since(std::uint64_t then_ns, std::uint64_t now_ns) {
    if (then_ns == 0) {
        return nullptr;
    }
    return now_ns < then_ns ? 0.0 : static_cast<double>(now_ns - then_ns) / ns_per_second;
}

json::array payload_types(const stem_flow& flow) {
    json::array types;
    for (unsigned type = 0; type < 128; ++type) {
        if ((flow.payload_types[type / 64] >> (type % 64) & 1U) != 0) {
            types.emplace_back(type);
        }
    }
    return types;
}

// Cost of `amount` in ns to amounts in a second.
json::value rate(std::uint32_t cost_ns, double amount) {
    if (cost_ns == 0) {
        return nullptr;
    }
    return static_cast<std::uint64_t>(std::llround(amount * ns_per_second / cost_ns));
}

json::object to_json(const call::MediaInfo& media, const Now& now) {
    const auto& [key, flow] = media;
    return {{"kind", flow.kind == STEM_FLOW_RTCP    ? "rtcp"
                     : flow.kind == STEM_FLOW_UDPTL ? "udptl"
                                                    : "rtp"},
            {"direction", label_of(static_cast<stem_direction>(key.direction))},
            {"from", Endpoint{Address(key.src), key.sport}.to_string()},
            {"to", Endpoint{Address(key.dst), key.dport}.to_string()},
            {"packets", flow.packets},
            {"bytes", flow.bytes},
            {"dropped_packets", flow.dropped_packets},
            {"dropped_bytes", flow.dropped_bytes},
            {"silent_seconds", seconds_since(flow.last_seen_ns, now.monotonic_ns)},
            {"payload_types", payload_types(flow)},
            {"allowed_packets_per_second", rate(flow.ns_per_packet, 1)},
            {"allowed_bytes_per_second", rate(flow.ns_per_kib, 1024)}};
}

} // namespace

std::string utc(std::uint64_t realtime_ns) {
    const auto seconds = static_cast<std::time_t>(realtime_ns / 1'000'000'000U);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::string text(sizeof("2026-03-01T12:00:00Z") + 8, '\0');
    text.resize(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts));
    return text;
}

std::string id_text(std::uint64_t id) {
    return fmt::format("{:x}", id);
}

std::optional<std::uint64_t> id_from(std::string_view text) {
    constexpr int hexadecimal = 16;
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, hexadecimal);
    if (error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return id;
}

json::object to_json(const call::DialogInfo& dialog, const Now& now) {
    json::array media;
    for (const auto& stream : dialog.media) {
        media.emplace_back(to_json(stream, now));
    }
    const std::uint64_t age = now.monotonic_ns > dialog.started_ns ? now.monotonic_ns - dialog.started_ns : 0;
    return {{"id", id_text(dialog.id)},
            {"state", dialog.state},
            {"direction", label_of(dialog.direction)},
            {"caller", dialog.caller},
            {"callee", dialog.callee},
            {"target", dialog.target.empty() ? json::value(nullptr) : json::value(dialog.target)},
            {"call_id", dialog.call_id},
            {"decision", dialog.decision},
            {"refer_to", dialog.refer_to.empty() ? json::value(nullptr) : json::value(dialog.refer_to)},
            {"replaces", dialog.replaces == 0 ? json::value(nullptr) : json::value(id_text(dialog.replaces))},
            {"started", utc(now.realtime_ns > age ? now.realtime_ns - age : 0)},
            {"age_seconds", static_cast<double>(age) / ns_per_second},
            {"talk_seconds", seconds_since(dialog.answered_ns, now.monotonic_ns)},
            {"media", std::move(media)}};
}

} // namespace stem::api
