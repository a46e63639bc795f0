// SPDX-License-Identifier: Apache-2.0
// Who must not be denied for one call, as the calls of others come from there, too: known peers (trunks,
// addresses that phones registered from or that calls are up with), the proxy, relays and NATs that
// stemd.toml names, and what lives inside.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/kernel/instance.h"
#include "ctl/kernel/sip_proxy.h"

#include <stem/abi/neighbour.h>

namespace stem::stemd {

class SourceGuard {
  public:
    // `named`: networks of stemd.toml.
    static Result<SourceGuard> open(const kernel::Instance& instance, std::vector<Cidr> named);

    // Why `source` is to be spared: "it is a known peer (trunk)"; nothing: it may be denied.
    [[nodiscard]] Result<std::optional<std::string>> spared(const Address& source,
                                                            std::uint64_t now_ns) const;

  private:
    using NeighbourMap = kernel::Map<stem_neighbour_key, stem_neighbour>;
    SourceGuard(kernel::Instance instance, kernel::PeerMap peers, NeighbourMap inside,
                std::vector<Cidr> named)
        : instance_(std::move(instance)), peers_(std::move(peers)), inside_(std::move(inside)),
          named_(std::move(named)) {}

    kernel::Instance instance_;
    kernel::PeerMap peers_;
    NeighbourMap inside_;
    std::vector<Cidr> named_;
};

} // namespace stem::stemd
