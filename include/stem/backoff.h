// SPDX-License-Identifier: Apache-2.0
// How long to wait before the next attempt: twice as long after each failure, up to a bound, and a random
// part of it, so that a thousand clients do not come back in one instant.
#pragma once

#include <algorithm>
#include <chrono>

namespace stem {

class Backoff {
  public:
    Backoff(std::chrono::milliseconds least, std::chrono::milliseconds most)
        : least_(least), most_(std::max(least, most)), next_(least) {}

    // `random`: 0 to 1. Between half of what is due and all of it.
    std::chrono::milliseconds next(double random) {
        const auto whole = next_;
        next_ = std::min(most_, next_ * 2);
        return std::chrono::milliseconds(
            static_cast<std::int64_t>(static_cast<double>(whole.count()) * (0.5 + random / 2)));
    }
    void reset() { next_ = least_; }

  private:
    std::chrono::milliseconds least_;
    std::chrono::milliseconds most_;
    std::chrono::milliseconds next_;
};

} // namespace stem
