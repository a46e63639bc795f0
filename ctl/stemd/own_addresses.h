// SPDX-License-Identifier: Apache-2.0
// The addresses of this host, as they are now: no call may have its media there.
#pragma once

#include <stem/address.h>

#include <cstdint>
#include <vector>

namespace stem::stemd {

class OwnAddresses {
  public:
    // Looked up anew where the last look is more than ten seconds ago: addresses come and go (DHCP, SLAAC).
    bool contains(const Address& address, std::uint64_t now_ns);

  private:
    void look(std::uint64_t now_ns);

    std::vector<Address> addresses_;
    std::uint64_t looked_ns_ = 0; // 0 = never
};

} // namespace stem::stemd
