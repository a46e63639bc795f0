// SPDX-License-Identifier: Apache-2.0
#include "lab/socket_address.h"

#include "lab/netns.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>

namespace stem::lab {

sockaddr_in6 to_socket_address(const Endpoint& endpoint) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(endpoint.port);
    std::ranges::copy(endpoint.address.octets(), std::begin(address.sin6_addr.s6_addr));
    return address;
}

Endpoint to_endpoint(const sockaddr_in6& address) {
    std::array<std::uint8_t, 16> octets{};
    std::ranges::copy(address.sin6_addr.s6_addr, octets.begin());
    return {.address = Address::v6(octets), .port = ntohs(address.sin6_port)};
}

Result<UniqueFd> bind_udp(const Endpoint& local) {
    UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int off = 0;
    const sockaddr_in6 address = to_socket_address(local);
    if (!socket || setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0 ||
        bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail_errno("bind UDP " + local.to_string());
    }
    return socket;
}

Result<UniqueFd> bind_udp(const Netns& netns, const Endpoint& local) {
    return netns.run([&] { return bind_udp(local); });
}

Result<Endpoint> bound_endpoint(int socket) {
    sockaddr_in6 address{};
    socklen_t length = sizeof address;
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        return fail_errno("ask a socket for its address");
    }
    return to_endpoint(address);
}

} // namespace stem::lab
