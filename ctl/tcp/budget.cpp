// SPDX-License-Identifier: Apache-2.0
#include <ctl/tcp/budget.h>

#include <algorithm>

#include "ctl/sip/grammar.h"

namespace stem::tcp {
namespace {

constexpr std::uint64_t ns_per_second = 1'000'000'000;
constexpr std::uint64_t ns_per_ms = 1'000'000;
constexpr std::size_t prefix_octets = 8;

} // namespace

stem_sip_kind kind_of(std::string_view message) {
    constexpr std::string_view response = "SIP/2.0 ";
    if (message.starts_with("INVITE ")) {
        return STEM_SIP_KIND_INVITE;
    }
    if (message.starts_with("REGISTER ")) {
        return STEM_SIP_KIND_REGISTER;
    }
    if (message.starts_with("OPTIONS ")) {
        return STEM_SIP_KIND_OPTIONS;
    }
    return sip::same_ignoring_case(message.substr(0, response.size()), response) ? STEM_SIP_KIND_RESPONSE
                                                                                 : STEM_SIP_KIND_REQUEST;
}

Address charged_source(const Address& source) {
    if (source.is_v4()) {
        return source;
    }
    auto octets = source.octets();
    std::fill(octets.begin() + prefix_octets, octets.end(), std::uint8_t{0});
    return Address::v6(octets);
}

std::uint64_t MessageBudget::delay(const Address& source, std::string_view message, bool known,
                                   std::uint64_t now_ns) {
    const stem_sip_kind kind = kind_of(message);
    const std::uint64_t rate = std::uint64_t{rates_.per_second[kind]} * (known ? rates_.known_factor : 1);
    if (rate == 0) {
        return 0;
    }
    std::uint64_t& full_at = sources_[charged_source(source)][kind];
    const std::uint64_t next = std::max(full_at, now_ns) + ns_per_second / rate;
    const std::uint64_t latest = now_ns + rates_.interval_ms * ns_per_ms;
    if (next > latest) {
        return next - latest;
    }
    full_at = next;
    return 0;
}

void MessageBudget::expire(std::uint64_t now_ns) {
    std::erase_if(sources_, [now_ns](const auto& each) {
        return std::ranges::all_of(each.second,
                                   [now_ns](std::uint64_t full_at) { return full_at <= now_ns; });
    });
}

} // namespace stem::tcp
