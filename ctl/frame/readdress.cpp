// SPDX-License-Identifier: Apache-2.0
#include <ctl/frame/readdress.h>

#include <ctl/frame/checksum.h>
#include <ctl/frame/octets.h>

#include <algorithm>

namespace stem::frame {

bool readdress(const FrameView& view, MutableBytes frame, End end, const Endpoint& endpoint) noexcept {
    if (view.fragment || endpoint.address.is_v4() != view.v4) {
        return false;
    }
    const bool source = end == End::source;
    if (view.v4) {
        const auto octets = endpoint.address.v4_octets();
        std::ranges::copy(octets, frame.subspan(view.l3 + (source ? 12 : 16), octets.size()).begin());
        write_ipv4_checksum(frame, view.l3);
    } else {
        const auto& octets = endpoint.address.octets();
        std::ranges::copy(octets, frame.subspan(view.l3 + (source ? 8 : 24), octets.size()).begin());
    }
    write16(frame, view.l4 + (source ? 0 : 2), endpoint.port);
    if (!view.v4 || read16(frame, view.l4 + 6) != 0) {
        write_udp_checksum(frame, view.l3, view.l4, view.v4);
    }
    return true;
}

} // namespace stem::frame
