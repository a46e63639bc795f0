// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemctl/instance_json.h"

#include <string>

namespace stem::stemctl {

std::string_view mode_name(unsigned mode) {
    return mode == STEM_MODE_BRIDGE ? "bridge" : mode == STEM_MODE_ROUTER ? "router" : "unknown";
}

std::string_view xdp_mode_name(unsigned xdp_mode) {
    return xdp_mode == STEM_XDP_NATIVE ? "native" : xdp_mode == STEM_XDP_GENERIC ? "generic" : "unknown";
}

boost::json::object ports_json(const stem_meta& meta) {
    const auto port = [&](std::size_t side) {
        return boost::json::object{{"interface", std::string(meta.ifname[side])},
                                   {"index", meta.ifindex[side]},
                                   {"xdp", xdp_mode_name(meta.xdp_mode[side])}};
    };
    return {{"external", port(STEM_PORT_EXTERNAL)}, {"internal", port(STEM_PORT_INTERNAL)}};
}

} // namespace stem::stemctl
