// SPDX-License-Identifier: Apache-2.0
// Which nonce counts have been used (RFC 7616 3.4: "nc"), so that what was overheard is good for nothing.
// Bounded: when the table is full, the oldest nonce is forgotten, and with it all that are as old may not be
// used any more. What was verified is entered, and nothing else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stem::auth {

class ReplayGuard {
  public:
    using TimePoint = std::chrono::system_clock::time_point;

    explicit ReplayGuard(std::size_t most = 65536) : most_(most) {}

    enum class Verdict : std::uint8_t {
        fresh,
        same,     // the very request that had it: a query that is asked again
        replayed, // another request had it, or it is further back than is remembered
        forgotten // the nonce is older than those that are remembered
    };
    // `made`: when the nonce was. `request` tells one request from another.
    Verdict use(std::string_view nonce, TimePoint made, std::uint32_t count, std::string_view request);

    // Forgets nonces that were made before: they are too old for anybody.
    void forget_before(TimePoint made);
    [[nodiscard]] std::size_t size() const noexcept { return used_.size(); }

  private:
    static constexpr std::size_t remembered = 16; // counts of one nonce
    struct Used {
        std::vector<std::pair<std::uint32_t, std::string>> counts; // ascending, with the request
        std::uint32_t floor = 0;                                   // what is not above it counts as used
    };

    std::size_t most_;
    std::map<std::pair<TimePoint, std::string>, Used> used_; // by when it was made, and the nonce
    TimePoint floor_ = TimePoint::min();
};

} // namespace stem::auth
