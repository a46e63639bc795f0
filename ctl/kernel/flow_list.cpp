// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/flow_list.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace stem::kernel {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr unsigned payload_types_max = 128;

} // namespace

Endpoint FlowEntry::source() const {
    return {.address = Address(key.src), .port = key.sport};
}

Endpoint FlowEntry::destination() const {
    return {.address = Address(key.dst), .port = key.dport};
}

std::vector<unsigned> FlowEntry::payload_types() const {
    std::vector<unsigned> types;
    for (unsigned type = 0; type < payload_types_max; type++) {
        if ((value.payload_types[type / 64] >> (type % 64) & 1U) != 0) {
            types.push_back(type);
        }
    }
    return types;
}

std::uint64_t FlowEntry::bytes_per_second() const noexcept {
    return value.ns_per_kib == 0 ? 0 : second_ns * 1024 / value.ns_per_kib;
}

std::uint64_t FlowEntry::packets_per_second() const noexcept {
    return value.ns_per_packet == 0 ? 0 : second_ns / value.ns_per_packet;
}

std::optional<double> FlowEntry::jitter_ms() const noexcept {
    const std::uint32_t hz = value.jitter_clock < STEM_CLOCKS_MAX ? value.clock_hz[value.jitter_clock] : 0;
    if (hz == 0 || value.jitter_state == STEM_JITTER_NONE) {
        return std::nullopt;
    }
    return value.jitter_16 / 16.0 * 1000.0 / hz;
}

std::optional<double> FlowEntry::loss() const noexcept {
    if (value.kind != STEM_FLOW_RTP || value.packets == 0) {
        return std::nullopt;
    }
    return static_cast<double>(value.lost) / static_cast<double>(value.packets + value.lost);
}

Result<std::vector<FlowEntry>> list_flows(const Instance& instance) {
    const auto map = instance.flows();
    if (!map) {
        return std::unexpected(map.error());
    }
    std::vector<FlowEntry> flows;
    const auto walked = map->for_each([&](const stem_flow_key& key, const stem_flow& value) {
        flows.push_back({.key = key, .value = value});
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    std::ranges::sort(flows, {}, [](const FlowEntry& flow) {
        return std::tuple(flow.value.dialog, flow.value.media_index, flow.key.direction, flow.value.kind,
                          Address(flow.key.src), flow.key.sport);
    });
    return flows;
}

std::string payload_type_name(unsigned payload_type) {
    static constexpr auto assigned = std::to_array<std::pair<unsigned, const char*>>({
        {0, "PCMU"},  {3, "GSM"},   {4, "G723"},     {5, "DVI4"},     {6, "DVI4/16"}, {7, "LPC"},
        {8, "PCMA"},  {9, "G722"},  {10, "L16"},     {11, "L16"},     {12, "QCELP"},  {13, "CN"},
        {14, "MPA"},  {15, "G728"}, {16, "DVI4/11"}, {17, "DVI4/22"}, {18, "G729"},   {26, "JPEG"},
        {31, "H261"}, {32, "MPV"},  {34, "H263"},
    });
    const auto* const found =
        std::ranges::find(assigned, payload_type, &std::pair<unsigned, const char*>::first);
    return found != assigned.end() ? found->second : std::to_string(payload_type);
}

} // namespace stem::kernel
