// SPDX-License-Identifier: Apache-2.0
// The addresses of plane/flow_mix.h in the form that user space works with.
#pragma once

#include "plane/generator.h"

#include <stem/address.h>

namespace stem::bench {

// `host` is a bench_stream's source or destination. The IPv6 one is what the generator makes of it.
Address address_of(std::uint32_t host, Family family);

} // namespace stem::bench
