// SPDX-License-Identifier: Apache-2.0
// An interface in a network namespace, as packets are sent into it and counted at it.
#pragma once

#include "lab/netns.h"

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <array>
#include <cstdint>
#include <string>

namespace stem::bench {

struct Port {
    const lab::Netns* netns;
    std::string name;
    std::uint32_t index = 0;
    std::array<std::uint8_t, 6> station{}; // its link address

    // Fills in index and link address; the interface must be there.
    [[nodiscard]] Result<> identify();

    // Frames received by the driver since the port was made.
    [[nodiscard]] Result<std::uint64_t> received() const;
    // Attaches in the driver; closing the result detaches.
    [[nodiscard]] Result<UniqueFd> attach(int program) const;
    // Makes the port entry `slot` of a devmap.
    [[nodiscard]] Result<> enter_devmap(int map, std::uint32_t slot) const;
};

} // namespace stem::bench
