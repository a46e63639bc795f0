// SPDX-License-Identifier: Apache-2.0
// The measures of the data plane.
#pragma once

#include "measure.h"

#include "plane/generator.h"

#include <memory>
#include <string>

namespace stem::bench {

// RTP of `mix`'s open streams through the middle; figures `rtp_forward_LABEL`, `..._vs_minimal` and
// `..._vs_nftables`. `with_bare` adds bare redirect, which knows no streams.
std::unique_ptr<Measure> make_rtp_forward(std::string label, Mix mix, bool with_bare = false);

// RTP from 1,000 denied sources, beside bare XDP_DROP and a set of blocked sources in nftables.
std::unique_ptr<Measure> make_deny_drop();

} // namespace stem::bench
