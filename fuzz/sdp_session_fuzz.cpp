// SPDX-License-Identifier: Apache-2.0
// Whatever comes: no fault, counts within the caps, and rates that the kernel can hold a stream to.
#include "ctl/sdp/session.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const stem::sdp::Limits limits;
    const auto session = stem::sdp::parse({reinterpret_cast<const char*>(data), size}, limits);
    if (!session) {
        require(session.error().reason == STEM_SDP_MALFORMED && !session.error().what.empty());
        return 0;
    }
    require(session->media.size() <= limits.media);
    for (const auto& media : session->media) {
        require(media.formats.size() <= limits.formats);
        const stem_media policed = stem::sdp::policed(media);
        if (policed.rtp_port == 0) {
            continue;
        }
        require(policed.bytes_per_second > 0 && policed.bytes_per_second < 20'000'000);
        require(policed.packets_per_second > 0 && policed.packets_per_second < 100'000);
        require(policed.min_payload < policed.max_payload && policed.max_payload <= 1472);
        if (policed.kind == STEM_MEDIA_UDPTL) { // neither RTCP nor payload types
            require(policed.rtcp_port == 0);
            continue;
        }
        require(policed.rtcp_bytes_per_second >= 1000 && policed.rtcp_port != policed.rtp_port);
        require((policed.payload_types[0] | policed.payload_types[1]) != 0);
    }
    return 0;
}
