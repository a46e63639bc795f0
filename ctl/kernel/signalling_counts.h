// SPDX-License-Identifier: Apache-2.0
// What the data plane counted of signalling (stem/abi/signalling.h), summed over the CPUs.
#pragma once

#include "ctl/kernel/instance.h"

#include <array>
#include <string_view>

namespace stem::kernel {

struct SignallingCounts {
    std::array<stem_sip_count, STEM_SIP_COUNT_SLOTS> by_kind{}; // stem_sip_count_index()

    [[nodiscard]] const stem_sip_count& of(stem_sip_kind kind, stem_direction direction) const {
        return by_kind[stem_sip_count_index(kind, direction)];
    }
};

class SignallingCounters {
  public:
    static Result<SignallingCounters> open(const Instance& instance);
    [[nodiscard]] Result<SignallingCounts> read() const;

  private:
    explicit SignallingCounters(PerCpuArray<stem_sip_count> map) : map_(std::move(map)) {}
    PerCpuArray<stem_sip_count> map_;
};

inline constexpr std::array sip_kinds = {STEM_SIP_KIND_INVITE,  STEM_SIP_KIND_REGISTER, STEM_SIP_KIND_OPTIONS,
                                         STEM_SIP_KIND_REQUEST, STEM_SIP_KIND_RESPONSE, STEM_SIP_KIND_NOISE,
                                         STEM_SIP_KIND_SEGMENT};
std::string_view name_of(stem_sip_kind kind); // "invite", ..., "noise", "segment"

} // namespace stem::kernel
