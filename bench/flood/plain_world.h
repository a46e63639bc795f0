// SPDX-License-Identifier: Apache-2.0
// The world of the peers: no STEM in it.
#pragma once

#include "lab/kamailio.h"
#include "lab/world.h"

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <optional>

namespace stem::bench {

// The sources of all floods are in this network. Both sides have a way there, which ends at the outside: what
// answers a flood leaves the inside, as it would on the Internet.
inline constexpr const char* flood_network = "10.0.0.0/8";
Result<> route_flood_network(const lab::World& world);

// Somebody listens at the proxy's TCP port, and never answers a connection that was made: SYNs fill its
// backlog.
Result<UniqueFd> listen_at_proxy(const lab::World& world);

class PlainWorld {
  public:
    static Result<PlainWorld> create(lab::Mode mode);

    [[nodiscard]] const lab::World& world() const { return world_; }
    Result<> start_kamailio(); // anew when it ran

  private:
    explicit PlainWorld(lab::World world) : world_(std::move(world)) {}

    lab::World world_;
    UniqueFd listener_;
    std::optional<lab::Kamailio> kamailio_;
};

} // namespace stem::bench
