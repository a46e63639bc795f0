// SPDX-License-Identifier: Apache-2.0
// The map of known peers (stem/abi/peer.h) as a list. While stemd runs, it alone writes: ask it. The operator
// may do so here while there is none.
#pragma once

#include "ctl/kernel/instance.h"

#include <stem/address.h>

#include <string>
#include <vector>

namespace stem::kernel {

struct PeerEntry {
    Address address;
    stem_peer value{};

    [[nodiscard]] bool expired(std::uint64_t now_ns) const noexcept {
        return value.expires_ns != 0 && value.expires_ns <= now_ns;
    }
};

class PeerList {
  public:
    static Result<PeerList> open(const Instance& instance);

    // By address; what has expired and was not swept yet is in it.
    [[nodiscard]] Result<std::vector<PeerEntry>> list() const;
    // Names a trunk. False: it was one.
    [[nodiscard]] Result<bool> add_trunk(const Address& address) const;
    // False: it is none that was added so.
    [[nodiscard]] Result<bool> remove_trunk(const Address& address) const;

  private:
    explicit PeerList(PeerMap map) : map_(std::move(map)) {}
    PeerMap map_;
};

// "registered, dialog, trunk, configured", as they apply.
std::vector<std::string> names_of_kinds(std::uint32_t kinds);

} // namespace stem::kernel
