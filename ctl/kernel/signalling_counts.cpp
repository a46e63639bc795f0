// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/signalling_counts.h"

#include <algorithm>

namespace stem::kernel {

Result<SignallingCounters> SignallingCounters::open(const Instance& instance) {
    auto map = PerCpuArray<stem_sip_count>::open(instance.pin("sip_counts"));
    if (!map) {
        return std::unexpected(map.error());
    }
    return SignallingCounters(std::move(*map));
}

Result<SignallingCounts> SignallingCounters::read() const {
    const auto sums = map_.sums();
    if (!sums) {
        return std::unexpected(sums.error());
    }
    SignallingCounts counts;
    std::copy_n(sums->begin(), std::min(sums->size(), counts.by_kind.size()), counts.by_kind.begin());
    return counts;
}

std::string_view name_of(stem_sip_kind kind) {
    switch (kind) {
    case STEM_SIP_KIND_INVITE:
        return "invite";
    case STEM_SIP_KIND_REGISTER:
        return "register";
    case STEM_SIP_KIND_OPTIONS:
        return "options";
    case STEM_SIP_KIND_REQUEST:
        return "request";
    case STEM_SIP_KIND_RESPONSE:
        return "response";
    case STEM_SIP_KIND_SEGMENT:
        return "segment";
    default:
        return "noise";
    }
}

} // namespace stem::kernel
