// SPDX-License-Identifier: Apache-2.0
// Calls whose way through the middle is timed: from a caller outside to erin's phone inside, not by the
// proxy, whose time would hide the middle's.
#pragma once

#include "signalling/call_paths.h"

#include <vector>

namespace stem::bench {

class Probe {
  public:
    explicit Probe(const CallPath& path) : path_(&path) {}

    // INVITE, 200, ACK, BYE, 200; what is lost is sent again after 500 ms, as RFC 3261 17.1.1.2 has it. What
    // INVITE and 200 together were under way is kept, the time until they were sent again included.
    void call();

    [[nodiscard]] const std::vector<double>& delays() const { return delays_; } // microseconds
    [[nodiscard]] unsigned calls() const { return calls_; }
    [[nodiscard]] unsigned answered() const { return static_cast<unsigned>(delays_.size()); }

  private:
    const CallPath* path_;
    unsigned calls_ = 0;
    std::vector<double> delays_;
};

} // namespace stem::bench
