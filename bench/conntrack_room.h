// SPDX-License-Identifier: Apache-2.0
// Room for a million tracked streams, so that nftables can be measured with as many as STEM.
#pragma once

#include <stem/error.h>

#include <cstdint>

namespace stem::bench {

// Raises the host's limit and number of hash buckets, which cannot be set inside another network namespace,
// and puts both back. Where they cannot be raised they stay: the measure that needs the room then says so.
class ConntrackRoom {
  public:
    explicit ConntrackRoom(std::uint64_t streams);
    ~ConntrackRoom();
    ConntrackRoom(const ConntrackRoom&) = delete;
    ConntrackRoom& operator=(const ConntrackRoom&) = delete;

  private:
    std::uint64_t max_before_ = 0; // 0: not changed
    std::uint64_t buckets_before_ = 0;
};

} // namespace stem::bench
