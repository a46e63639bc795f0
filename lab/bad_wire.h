// SPDX-License-Identifier: Apache-2.0
// A wire between two interfaces that loses, repeats and swaps frames, in both directions. In user space: the
// kernels at hand have no netem.
#pragma once

#include "lab/netns.h"

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

namespace stem::lab {

struct WireQuality {
    unsigned lost_percent = 0;
    unsigned repeated_percent = 0;
    unsigned swapped_percent = 0; // come after the frame that follows, or a few milliseconds later
    std::uint32_t seed = 1;
};

class BadWire {
  public:
    // From now on, until its end, frames that come in by one of the two interfaces of `netns` leave by the
    // other.
    static Result<BadWire> start(const Netns& netns, const std::string& left, const std::string& right,
                                 const WireQuality& quality);
    [[nodiscard]] std::uint64_t lost() const noexcept;

  private:
    struct State;
    BadWire(std::shared_ptr<State> state, std::jthread worker)
        : state_(std::move(state)), worker_(std::move(worker)) {}

    std::shared_ptr<State> state_;
    std::jthread worker_;
};

} // namespace stem::lab
