// SPDX-License-Identifier: Apache-2.0
// The kernel's own TCP and UDP as a peer of a test: sockets in a namespace, which give up after five seconds.
#pragma once

#include "lab/netns.h"

#include <stem/address.h>
#include <stem/unique_fd.h>

#include <cstddef>
#include <optional>

namespace stem::test {

// `type`: SOCK_STREAM or SOCK_DGRAM. Bound to `local`; connected to `remote`, or listening if it is TCP.
Result<UniqueFd> open_socket(const lab::Netns& netns, int type, const Endpoint& local,
                             const std::optional<Endpoint>& remote = {});

struct Accepted {
    UniqueFd fd; // none: nobody came
    Endpoint peer;
};
Accepted accept_from(int listener);

// Sends so many octets from one to the other: true if they all arrive as they were sent.
bool transfer(int from, int to, std::size_t octets);

} // namespace stem::test
