// SPDX-License-Identifier: Apache-2.0
// Sends and receives whole frames on an interface: the far end of a cable.
#pragma once

#include "lab/netns.h"

#include <stem/unique_fd.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace stem::test {

class PacketSocket {
  public:
    static Result<PacketSocket> open(const lab::Netns& netns, const std::string& interface);

    // False when it does not go out now.
    bool send(std::span<const std::uint8_t> frame) const noexcept;
    // The next frame that came in; empty when none waits.
    std::vector<std::uint8_t> receive() const;
    // The same, waiting for at most a second.
    std::vector<std::uint8_t> await() const;

  private:
    explicit PacketSocket(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace stem::test
