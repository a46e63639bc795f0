// SPDX-License-Identifier: Apache-2.0
// A call whose media is sent by hand, so that one knows which packet is the first, and which the last, to
// come through.
#pragma once

#include "signalling/call_paths.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace stem::bench {

enum class Way { inward, outward };

// Its media sockets stay for call after call; one call at a time.
class MediaCall {
  public:
    // `slot` gives it ports of its own.
    static Result<MediaCall> open(const CallPath& path, unsigned slot);

    struct Opening {
        Moment answered;    // the 200 arrived at the caller
        Moment first;       // the first RTP packet arrived inside
        unsigned lost = 0;  // RTP packets sent before it that never arrived
        double transit = 0; // of one RTP packet a little later, microseconds
    };
    // INVITE, 200, RTP at once and until one is through, ACK.
    Result<Opening> establish();
    // BYE and 200; the moment when the 200 arrived at the caller.
    Result<Moment> hang_up();

    // Sends one RTP packet; arrived() tells of its fate when all have had the time to arrive.
    Result<> probe(Way way);
    struct Probe {
        Moment sent;
        bool passed = false;
    };
    // All probes since the last call of this, in the order in which they were sent.
    std::vector<Probe> probes();

  private:
    MediaCall(const CallPath& path, TimedSocket caller, TimedSocket callee)
        : path_(&path), caller_(std::move(caller)), callee_(std::move(callee)) {}
    Result<Moment> send_rtp(Way way);
    // The number of the next RTP packet that arrived, when it came within `timeout`.
    struct Heard {
        std::uint16_t number;
        Moment at;
    };
    [[nodiscard]] static std::optional<Heard> hear(const TimedSocket& socket,
                                                   std::chrono::milliseconds timeout);

    const CallPath* path_;
    TimedSocket caller_;
    TimedSocket callee_;
    std::uint16_t number_ = 0; // of the last RTP packet, over both ways
    std::uint16_t first_probe_ = 0;
    std::vector<Probe> probes_;
    lab::SipRequest invite_;
    std::string ok_;
};

} // namespace stem::bench
