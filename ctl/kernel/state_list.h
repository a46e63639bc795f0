// SPDX-License-Identifier: Apache-2.0
// Kept connections as the kernel has them, and their sweeping. stemd need not run.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/abi/state.h>
#include <stem/address.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace stem::kernel {

using StateMap = Map<stem_state_key, stem_state>;

struct StateEntry {
    stem_state_key key{};
    stem_state value{};

    [[nodiscard]] Endpoint inside() const { return {Address(key.inside), key.inside_port}; }
    [[nodiscard]] Endpoint outside() const { return {Address(key.outside), key.outside_port}; }
    [[nodiscard]] Endpoint proxy() const { return {Address(value.proxy), value.proxy_port}; }
};

// "syn_sent", "established", … for enum stem_state_phase.
std::string_view phase_name(unsigned phase) noexcept;

// By age, the oldest first. What has expired and waits for the sweep is among them.
Result<std::vector<StateEntry>> list_states(const Instance& instance);

// Takes out what has expired, or everything; returns how many entries went. The kernel does it, so that its
// counts stay right.
Result<std::uint32_t> sweep_states(const Instance& instance, bool all);

struct StateFigures {
    stem_state_usage usage{};
    std::uint32_t room = 0;                                    // entries that the table can have
    std::array<std::uint64_t, STEM_STATE_COUNTERS> counters{}; // by enum stem_state_counter
};

Result<StateFigures> read_state_figures(const Instance& instance);

} // namespace stem::kernel
