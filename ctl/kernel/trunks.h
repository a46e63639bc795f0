// SPDX-License-Identifier: Apache-2.0
// The operator's trunks: known peers are single addresses, and small networks of them are written out.
#pragma once

#include <stem/address.h>
#include <stem/error.h>

#include <span>
#include <vector>

namespace stem::kernel {

// At most 256 addresses a network (/24, or /120 of IPv6).
Result<std::vector<Address>> addresses_of(std::span<const Cidr> networks);

} // namespace stem::kernel
