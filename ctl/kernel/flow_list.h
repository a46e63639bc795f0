// SPDX-License-Identifier: Apache-2.0
// The open pinholes, for people and scripts.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/address.h>

#include <optional>
#include <string>
#include <vector>

namespace stem::kernel {

struct FlowEntry {
    stem_flow_key key{};
    stem_flow value{};

    [[nodiscard]] Endpoint source() const;
    [[nodiscard]] Endpoint destination() const;
    [[nodiscard]] std::vector<unsigned> payload_types() const;     // rising
    [[nodiscard]] std::uint64_t bytes_per_second() const noexcept; // allowed, at IP level; 0 = no limit
    [[nodiscard]] std::uint64_t packets_per_second() const noexcept;
    // RFC 3550 A.8; nothing where it was not measured.
    [[nodiscard]] std::optional<double> jitter_ms() const noexcept;
    // Share of the packets that were expected and never came, 0 to 1; nothing before the first.
    [[nodiscard]] std::optional<double> loss() const noexcept;
};

// By dialog, m= line, direction and kind.
Result<std::vector<FlowEntry>> list_flows(const Instance& instance);

// "PCMU" for 0, as RFC 3551 (tables 4 and 5) has it; the number for a dynamic or unassigned one.
std::string payload_type_name(unsigned payload_type);

} // namespace stem::kernel
