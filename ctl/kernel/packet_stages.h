// SPDX-License-Identifier: Apache-2.0
// What a described packet meets in an attached instance before the static rules and after them.
#pragma once

#include "ctl/kernel/instance.h"
#include "ctl/kernel/packet_description.h"

#include <stem/abi/reason.h>

#include <optional>
#include <string>
#include <vector>

namespace stem::kernel {

struct StageHit {
    stem_reason reason = STEM_CONTINUE; // the one that the stage would give
    std::string detail;
};

// The first of fail-safe list, deny list and pinholes that would have the packet; then no rule sees it.
Result<std::optional<StageHit>> stage_before_rules(const Instance& instance, const PacketDescription& packet);
// What becomes of a packet that no rule decides: SIP for stemd, or the policy.
Result<stem_reason> stage_after_rules(const Instance& instance, const PacketDescription& packet,
                                      const std::array<std::uint8_t, STEM_DIRECTIONS>& policy);
// The policy alone.
stem_reason policy_verdict(const PacketFields& packet,
                           const std::array<std::uint8_t, STEM_DIRECTIONS>& policy) noexcept;

} // namespace stem::kernel
