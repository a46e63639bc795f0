// SPDX-License-Identifier: Apache-2.0
#include "negotiated.h"

#include <linux/bpf.h>

#include <array>
#include <stdexcept>

#include "ctl/call/media_policy.h"
#include "ctl/call/pinholes.h"

namespace stem::test {
namespace {

std::vector<stem_media> described(const std::string& address, const std::string& media) {
    const auto session =
        sdp::parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN " + address + "\r\nt=0 0\r\n" + media, {});
    if (!session) {
        throw std::invalid_argument(session.error().what);
    }
    return call::media_of(*session);
}

} // namespace

stem_flow negotiated(const std::string& media, bool v6) {
    const auto flows = call::flows_between(described(v6 ? "IP6 2001:db8:1::10" : "IP4 192.0.2.10", media),
                                           described(v6 ? "IP6 2001:db8:2::10" : "IP4 198.51.100.10", media),
                                           STEM_INBOUND, 7, DataPlane::start_ns);
    for (const auto& [key, flow] : flows) {
        if (key.direction == STEM_INBOUND && flow.kind == STEM_FLOW_RTP) {
            return flow;
        }
    }
    throw std::invalid_argument("no RTP in " + media);
}

bool Replay::send(const Bytes& frame) {
    const bool through = plane_.run(path_.direction, frame).action == XDP_REDIRECT;
    (through ? passed : dropped)++;
    (void)plane_.take_events();
    return through;
}

} // namespace stem::test
