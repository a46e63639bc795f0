// SPDX-License-Identifier: Apache-2.0
// The links that hold the data plane's programs on the two ports.
#pragma once

#include "ctl/kernel/data_plane.h"
#include "ctl/kernel/instance.h"

#include <stem/unique_fd.h>

namespace stem::kernel {

struct XdpLinks {
    std::array<UniqueFd, STEM_PORTS> link; // closing one that is not pinned takes the program off its port
    stem_xdp_mode mode = STEM_XDP_NATIVE;  // of both ports
    bool fell_back = false;
    std::string fall_back_cause;
};

// Both ports get the same mode: a redirect from a native port to one whose driver knows no XDP loses packets.
Result<XdpLinks> link_ports(const DataPlane& plane, const Ports& ports, XdpChoice choice);

// Pins them as link_external and link_internal.
Result<> pin_links(const XdpLinks& links, const std::filesystem::path& folder);

// Index of the interface that the pinned link of a port (enum stem_port) is on; 0: it went away.
Result<std::uint32_t> linked_interface(const Instance& instance, std::size_t port);

// The pinned links and the programs that they hold now.
struct LinkedPrograms {
    std::array<UniqueFd, STEM_PORTS> link;
    std::array<UniqueFd, STEM_PORTS> program;
};
Result<LinkedPrograms> linked_programs(const Instance& instance);

// Puts the plane's programs in place of `running`, each port in one step, so that each packet meets the one
// or the other. Refused by the kernel where another program is on the port meanwhile. When the second port
// fails, the first gets its former program back.
Result<> replace_programs(const LinkedPrograms& running, const DataPlane& plane);
// The way back.
Result<> restore_programs(const LinkedPrograms& running, const DataPlane& plane);

} // namespace stem::kernel
