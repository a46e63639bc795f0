// SPDX-License-Identifier: Apache-2.0
// Modules of the data plane (stem/abi/module.h) as the command line and the documentation name them.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace stem::stemctl {

// Bits of names; "all" and "none" count as names. Unknown ones are left out: the command line refuses them.
std::uint32_t module_bits(const std::vector<std::string>& names);
// "flow_monitor, sip_steering"; "none".
std::string module_names(std::uint32_t bits);
// "flow_monitor,sip_steering": those that are on after an attach that does not say otherwise.
std::string initial_modules();
// {"flow_monitor": true, …}
boost::json::object modules_json(std::uint32_t bits);
// docs/modules.md is this, byte for byte.
std::string modules_markdown();

// The option takes module names; `sets`: with commas between them, and "all" and "none", too.
void add_module_names(CLI::Option& option, bool sets);

} // namespace stem::stemctl
