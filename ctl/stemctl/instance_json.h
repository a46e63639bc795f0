// SPDX-License-Identifier: Apache-2.0
// Words for what stem_meta says, in text and JSON.
#pragma once

#include <stem/abi/meta.h>

#include <boost/json/object.hpp>

#include <string_view>

namespace stem::stemctl {

std::string_view mode_name(unsigned mode);         // enum stem_mode
std::string_view xdp_mode_name(unsigned xdp_mode); // enum stem_xdp_mode

// {"external": {"interface", "index", "xdp"}, "internal": {…}}
boost::json::object ports_json(const stem_meta& meta);

} // namespace stem::stemctl
