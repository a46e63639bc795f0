// SPDX-License-Identifier: Apache-2.0
// The search trees over addresses, in the nodes of stem/abi/ruleset.h.
#pragma once

#include "ctl/kernel/rule_intervals.h"

#include <vector>

namespace stem::kernel {

class RuleTrees {
  public:
    explicit RuleTrees(stem_ruleset& out) noexcept : out_(&out) {}

    // A tree over intervals that begin at 0. Fails when the pool of nodes is full.
    Result<stem_tree> add(const std::vector<Interval>& intervals);
    void finish() const noexcept { out_->nodes_used = used_; }

  private:
    stem_ruleset* out_;
    std::uint32_t used_ = 0;
};

} // namespace stem::kernel
