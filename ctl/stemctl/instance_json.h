// SPDX-License-Identifier: Apache-2.0
// Words for what stem_meta says, in text and JSON.
#pragma once

#include <stem/abi/meta.h>

#include <boost/json/object.hpp>

#include <array>
#include <string_view>

namespace stem::stemctl {

std::string_view mode_name(unsigned mode);         // enum stem_mode
std::string_view xdp_mode_name(unsigned xdp_mode); // enum stem_xdp_mode

// {"external": {"interface", "index", "xdp"}, "internal": {…}}
boost::json::object ports_json(const stem_meta& meta);

struct ModuleInfo {
    stem_module module;
    std::string_view name;
    std::string_view help;
};
inline constexpr std::array<ModuleInfo, 3> modules = {{
    {STEM_MODULE_PATTERN_MATCHER, "pattern_matcher", "static rules and default policies"},
    {STEM_MODULE_FLOW_MONITOR, "flow_monitor", "pinholes: media of calls, policed by codec"},
    {STEM_MODULE_SIP_STEERING, "sip_steering", "SIP to stemd; keep-alives told apart"},
}};

} // namespace stem::stemctl
