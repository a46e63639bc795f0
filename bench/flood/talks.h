// SPDX-License-Identifier: Apache-2.0
// A few long calls with media both ways.
#pragma once

#include "signalling/call_paths.h"

#include "lab/rtp_endpoint.h"

#include <optional>
#include <vector>

namespace stem::bench {

struct RtpLoss {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::chrono::nanoseconds longest_gap{}; // between two packets of a stream

    [[nodiscard]] double percent() const {
        return sent == 0 || received >= sent
                   ? 0
                   : 100 * (1 - static_cast<double>(received) / static_cast<double>(sent));
    }
};

class Talks {
  public:
    static constexpr unsigned count = 4;

    explicit Talks(const CallPath& path) : path_(&path) {}

    // INVITE, 200, ACK of each; then both ends send.
    Result<> begin();
    // Both ends fall silent. What was lost of the talks from `first` to before `last`, both ways.
    void fall_silent();
    [[nodiscard]] RtpLoss loss(unsigned first, unsigned last) const;
    void hang_up();

    [[nodiscard]] Endpoint caller_end(unsigned talk) const;
    [[nodiscard]] Endpoint callee_end(unsigned talk) const;

  private:
    Result<> establish(unsigned talk);

    struct Dialog {
        TimedSocket caller; // of its own: Linux's SIP helper expects few streams of one signalling stream
        lab::SipRequest invite;
        std::string ok;
    };
    const CallPath* path_;
    std::vector<Dialog> dialogs_;
    std::optional<lab::RtpEndpoint> outside_;
    std::optional<lab::RtpEndpoint> inside_;
};

} // namespace stem::bench
