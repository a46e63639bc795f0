// SPDX-License-Identifier: Apache-2.0
// Pinholes with the figures that stemd would give them, from the lines of a session description; and the
// packets of a sender.
#pragma once

#include "media.h"

#include <string>

namespace stem::test {

// RTP towards the party that said `media` ("m=audio 30000 RTP/AVP 0\r\n...").
[[nodiscard]] stem_flow negotiated(const std::string& media, bool v6 = false);

inline const std::string g711 = "m=audio 30000 RTP/AVP 0 8 9 13 101\r\na=rtpmap:101 telephone-event/8000\r\n";

// Sends in order, as RFC 3550 has it; what a test wants otherwise it sets before it sends.
struct Sender {
    Path path;
    std::uint16_t sequence = 100;
    std::uint32_t timestamp = 8000;
    std::uint32_t source = 0x11223344;
    std::uint8_t type = 0;
    std::size_t payload = 160;
    bool marker = false;

    [[nodiscard]] Bytes frame() const {
        return media(path, Rtp{.marker = marker,
                               .payload_type = type,
                               .sequence = sequence,
                               .timestamp = timestamp,
                               .source = source,
                               .payload = payload})
            .bytes();
    }
    // The packet, and on to the next.
    Bytes next(std::uint32_t samples = 160) {
        Bytes bytes = frame();
        sequence++;
        timestamp += samples;
        return bytes;
    }
};

// How many of a replay's packets passed and did not.
class Replay {
  public:
    Replay(DataPlane& plane, const Path& path) : plane_(plane), path_(path) {}

    bool send(const Bytes& frame);
    unsigned passed = 0;
    unsigned dropped = 0;

  private:
    DataPlane& plane_;
    Path path_;
};

} // namespace stem::test
