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

// The same RTP passed by static rules: 1 to 8,192 of them, of which the last matches. Figures `rules_8k`,
// `rules_8k_vs_nftables_linear`, `rules_8k_vs_nftables_sets`, and the like for 1, 64 and 1k; `rules_8k_vs_1`:
// how many times the cost of one rule 8,192 have, and the same of the peers. IPv6: `rules_v6_...`.
std::unique_ptr<Measure> make_rules(Family family);

} // namespace stem::bench
