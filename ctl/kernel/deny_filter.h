// SPDX-License-Identifier: Apache-2.0
// The bit filter in front of the deny list (stem/abi/deny.h): which bits an entry needs.
#pragma once

#include <stem/abi/deny.h>
#include <stem/address.h>

#include <cstdint>

namespace stem::kernel {

// Bits [first, first + count) of the filter of networks.
struct FilterRange {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
};
FilterRange filter_bits_of(const Cidr& network) noexcept;

// A copy of the filter in our own memory, to be built at leisure.
void set_exact(stem_deny_filter& filter, const Address& source) noexcept;
void set_cidr(stem_deny_filter& filter, const Cidr& network) noexcept;

// The kernel reads `live` meanwhile. merge() only sets bits; replace() also clears.
void merge(stem_deny_filter& live, const stem_deny_filter& more) noexcept;
void replace(stem_deny_filter& live, const stem_deny_filter& with) noexcept;

} // namespace stem::kernel
