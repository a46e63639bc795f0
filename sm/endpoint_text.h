// SPDX-License-Identifier: Apache-2.0
// Addresses with ports, as configurations write them.
#pragma once

#include <stem/address.h>

#include <optional>
#include <string_view>

namespace stem::sm {

// "192.0.2.9:7443", "[2001:db8::9]:7443"; no names.
std::optional<Endpoint> endpoint_from(std::string_view text);

} // namespace stem::sm
