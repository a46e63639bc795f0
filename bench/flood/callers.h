// SPDX-License-Identifier: Apache-2.0
// The legitimate calls that go on beside a flood: registered callers outside, phones inside.
//
//   SIPp       many calls a second by Kamailio to carol: how many complete
//   probes     20 calls a second straight to erin: how long INVITE and 200 are under way
//   talks      a few long calls with RTP both ways: how much is lost
#pragma once

#include "flood/arena.h"
#include "flood/probe.h"
#include "flood/talks.h"

#include "lab/sipp.h"

#include <vector>

namespace stem::bench {

// Host number of SIPp's caller; the other is lab::host::first_caller.
inline constexpr unsigned trunk_host = lab::host::first_caller + 1;

struct CallLoad {
    double rate = 50; // SIPp's calls a second
    std::chrono::seconds time{8};
    // How long a call may take to be answered, or to be ended.
    std::chrono::seconds patience{4};
};

struct CallCounts {
    unsigned due = 0;            // calls that SIPp was asked for
    std::uint64_t created = 0;   // those that it came to begin
    std::uint64_t completed = 0; // from INVITE to the 200 to the BYE
    unsigned probes = 0;
    std::vector<double> delays; // of the probes that were answered, microseconds
    RtpLoss loss;               // of the talks that were not attacked
    RtpLoss attacked_loss;
    std::string complaints; // SIPp's first words about calls that failed
};

class Callers {
  public:
    // Registers the callers, and sets the talks up.
    static Result<std::unique_ptr<Callers>> create(const Arena& arena);

    // Caller's and callee's end of the talk that a flood of RTP attacks.
    [[nodiscard]] Endpoint attacked_source() const { return talks_.caller_end(0); }
    [[nodiscard]] Endpoint attacked_destination() const { return talks_.callee_end(0); }

    // Carries the load, and waits for its end.
    Result<CallCounts> carry(const CallLoad& load);
    // Ends the talks.
    void hang_up();

  private:
    Callers(const lab::World& world, CallPath path) : world_(&world), path_(std::move(path)), talks_(path_) {}

    const lab::World* world_;
    CallPath path_;
    Talks talks_;
};

} // namespace stem::bench
