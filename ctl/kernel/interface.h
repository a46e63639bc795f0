// SPDX-License-Identifier: Apache-2.0
// What must be known of a network interface before STEM takes it as a port.
#pragma once

#include <stem/error.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stem::kernel {

struct Interface {
    std::string name;
    std::uint32_t index = 0;
    std::array<std::uint8_t, 6> mac{};
    std::string driver; // as ethtool tells it; empty if unknown
    bool up = false;
    bool promiscuous = false;
    bool strips_vlan = false;      // receive VLAN offload: tags are gone before XDP sees them
    std::uint32_t xdp_program = 0; // id of the XDP program that is attached already; 0 = none
    std::string xdp_program_name;

    // In this process's network namespace.
    static Result<Interface> find(std::string_view name);
};

// Traits of a port that would make STEM see less than passes by; in words, with remedies.
std::vector<std::string> port_warnings(const Interface& port, bool bridge);

} // namespace stem::kernel
