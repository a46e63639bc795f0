// SPDX-License-Identifier: Apache-2.0
// Denied media flows: marks in the entries of open pinholes (struct stem_flow). The kernel writes them
// (program deny_flow), as stemd and the data plane write into the same entries.
#pragma once

#include "ctl/kernel/deny_target.h"
#include "ctl/kernel/flow_list.h"
#include "ctl/kernel/instance.h"

#include <stem/unique_fd.h>

#include <string_view>
#include <vector>

namespace stem::kernel {

class FlowDenial {
  public:
    static Result<FlowDenial> open(const Instance& instance);

    // The flow may be open both inbound and outbound. True: it was not denied; false: it was, and has the new
    // end (STEM_FOR_EVER: none), origin and note. Fails where it is not open.
    [[nodiscard]] Result<bool> add(const FlowTarget& flow, std::uint64_t until_ns, stem_deny_origin origin,
                                   std::string_view note, std::uint64_t now_ns) const;
    // False: it is not open, or not denied at `now_ns`.
    [[nodiscard]] Result<bool> remove(const FlowTarget& flow, std::uint64_t now_ns) const;
    // Open flows that are denied at `now_ns`.
    [[nodiscard]] Result<std::vector<FlowEntry>> list(std::uint64_t now_ns) const;

  private:
    FlowDenial(FlowMap flows, UniqueFd program, std::string pin)
        : flows_(std::move(flows)), program_(std::move(program)), pin_(std::move(pin)) {}

    // Its entries that are there.
    [[nodiscard]] Result<std::vector<FlowEntry>> find(const FlowTarget& flow) const;
    // False: closed meanwhile.
    [[nodiscard]] Result<bool> mark(const stem_deny_flow& change) const;

    FlowMap flows_;
    UniqueFd program_;
    std::string pin_;
};

} // namespace stem::kernel
