// SPDX-License-Identifier: Apache-2.0
// Kamailio as the inside's proxy and registrar: stateful, with Record-Route, UDP (and TCP), on both families.
// It knows a user from a static contact, or from a REGISTER (kept in memory, no password asked). A v4 and a
// v6 registration of the same user name are two users, because their domains are the proxy's two addresses.
#pragma once

#include "lab/process.h"

#include <stem/address.h>
#include <stem/error.h>

#include <cstdint>
#include <string>
#include <vector>

namespace stem::lab {

class Netns;

struct StaticContact {
    std::string user;
    Endpoint contact; // serves calls of its own family; give a user one of each
};

struct KamailioOptions {
    std::vector<Address> addresses; // where it listens; also its domains
    std::uint16_t port = 5060;
    std::vector<StaticContact> contacts = {};
    // Processes for each address. With more than one, messages that come close together may leave in another
    // order.
    unsigned children = 1;
    bool tcp = false; // listens with TCP, too
};

class Kamailio {
  public:
    // Returns when every address has answered an OPTIONS.
    static Result<Kamailio> start(const Netns& netns, const KamailioOptions& options);

    [[nodiscard]] Process& process() noexcept { return process_; }
    [[nodiscard]] const Process& process() const noexcept { return process_; }

  private:
    explicit Kamailio(Process process) : process_(std::move(process)) {}

    Process process_;
};

} // namespace stem::lab
