// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stem/error.h>

#include <cstddef>
#include <string>

namespace stem::stemd {

// Octets of an IP packet that fit the interface, as it is now (SIOCGIFMTU).
Result<std::size_t> read_mtu(const std::string& interface);

} // namespace stem::stemd
