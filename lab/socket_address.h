// SPDX-License-Identifier: Apache-2.0
// Between stem::Endpoint and the socket calls. One kind of socket serves both families: IPv4 goes as
// IPv4-mapped IPv6, which puts IPv4 packets on the wire.
#pragma once

#include <stem/address.h>
#include <stem/error.h>
#include <stem/unique_fd.h>

#include <netinet/in.h>

namespace stem::lab {

class Netns;

[[nodiscard]] sockaddr_in6 to_socket_address(const Endpoint& endpoint);
[[nodiscard]] Endpoint to_endpoint(const sockaddr_in6& address);

// A non-blocking UDP socket in the namespace of the calling thread, or in `netns`, bound to `local`; port 0
// lets the kernel choose.
Result<UniqueFd> bind_udp(const Endpoint& local);
Result<UniqueFd> bind_udp(const Netns& netns, const Endpoint& local);
// The address and port that a socket is bound to.
Result<Endpoint> bound_endpoint(int socket);

} // namespace stem::lab
