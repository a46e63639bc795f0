// SPDX-License-Identifier: Apache-2.0
// Where one leg of a call signals from, as its accepted messages show: the last source, and the hosts that
// they name as the leg's hops (docs/decisions/0017).
#pragma once

#include <stem/abi/dialog.h>
#include <stem/address.h>

#include <cstdint>
#include <span>
#include <vector>

#include "ctl/sip/message.h"

namespace stem::call {

enum class Origin : std::uint8_t {
    known,    // the very flow, or a host that the leg has named itself
    moved,    // the leg's address, or one that may stand for it, with another port: a NAT made a new binding
    stranger, // nothing that the leg has shown
};

class LegFlow {
  public:
    LegFlow() = default;
    explicit LegFlow(const Endpoint& source) : source_(source) {}

    // A message from there was accepted.
    void learn(const Endpoint& source) { source_ = source; }
    // The hosts that an accepted message names: Contact, Record-Route, and Via of a request. Those that are
    // names are left out: they are the last source's, or cannot be told.
    void learn_hops(const sip::Message& message);
    void learn_hop(const Address& host);

    // `clusters`: networks whose hosts stand for one another.
    [[nodiscard]] Origin origin_of(const Endpoint& source, std::span<const Cidr> clusters,
                                   std::span<const Cidr> nats) const;

    [[nodiscard]] const Endpoint& source() const { return source_; }
    [[nodiscard]] std::span<const Address> hops() const { return hops_; }

  private:
    Endpoint source_;
    std::vector<Address> hops_; // at most STEM_HOPS_MAX, oldest first
};

// One network holds both.
[[nodiscard]] bool are_together(const Address& a, const Address& b, std::span<const Cidr> networks);

} // namespace stem::call
