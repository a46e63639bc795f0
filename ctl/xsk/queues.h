// SPDX-License-Identifier: Apache-2.0
// What an AF_XDP socket must know of its interface.
#pragma once

#include <stem/error.h>

#include <cstdint>
#include <string>

namespace stem::xsk {

struct Interface {
    std::string name;
    unsigned index = 0;
    std::uint32_t rx_queues = 0; // in use now
    std::uint32_t tx_queues = 0;
    bool is_virtual = false; // no bus behind it: veth, tap, bridge; AF_XDP copies there
};

// Reads the interface `index` of the caller's network namespace. Queues come from ETHTOOL_GCHANNELS, else
// from rtnetlink; never from sysfs, which shows the namespace that mounted it and not necessarily ours.
Result<Interface> read_interface(unsigned index);

} // namespace stem::xsk
