// SPDX-License-Identifier: Apache-2.0
// Alone in its file: the kernel's headers and the C library's disagree about <netinet/in.h>.
#include "user_parser.h"

#include "user_octets.h"

#include <bpf/form.h>
#include <bpf/parse.h>

#include <algorithm>
#include <vector>

namespace stem::test {

Parsed parse_in_user_space(std::span<const std::uint8_t> frame, stem_direction direction) {
    // As drivers do (NET_IP_ALIGN): the IP header is then aligned.
    std::vector<std::uint8_t> copy(2 + frame.size());
    std::ranges::copy(frame, copy.begin() + 2);
    struct ::frame bounds{}; // not the namespace
    bounds.begin = copy.data() + 2;
    bounds.end = copy.data() + copy.size();
    packet packet{};
    packet.key.direction = static_cast<std::uint8_t>(direction);
    packet.frame_length = static_cast<std::uint32_t>(frame.size());
    stem_reason fault = parse(&bounds, &packet);
    if (fault == STEM_CONTINUE && is_extended(&packet)) {
        fault = parse_extended(&bounds, &packet);
    }
    xdp_md context{.data = bounds.begin, .data_end = bounds.end};
    const bool looked_into =
        fault == STEM_CONTINUE && packet.ip_version != 0 && (packet.odd || !packet.neighbour);
    const auto form = looked_into ? static_cast<stem_reason>(judge_form(&context, &packet)) : STEM_CONTINUE;
    return {.fault = fault,
            .form = form,
            .fragment = packet.fragment != 0,
            .later = packet.fragment_start != 0,
            .key = packet.key,
            .vlan = packet.vlan,
            .ip_version = packet.ip_version,
            .neighbour = packet.neighbour != 0};
}

} // namespace stem::test
