// SPDX-License-Identifier: Apache-2.0
#include "tcp_peer.h"

#include "lab/socket_address.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

namespace stem::test {
namespace {

constexpr timeval patience{.tv_sec = 5, .tv_usec = 0};

std::uint8_t octet_at(std::size_t place) {
    return static_cast<std::uint8_t>(place * 31 >> 3U);
}

void send_pattern(int to, std::size_t octets) {
    std::vector<std::uint8_t> block(65536);
    for (std::size_t sent = 0; sent < octets;) {
        for (std::size_t i = 0; i < block.size(); i++) {
            block[i] = octet_at(sent + i);
        }
        const ssize_t count = send(to, block.data(), std::min(block.size(), octets - sent), MSG_NOSIGNAL);
        if (count <= 0) {
            return;
        }
        sent += static_cast<std::size_t>(count);
    }
}

} // namespace

Result<UniqueFd> open_socket(const lab::Netns& netns, int type, const Endpoint& local,
                             const std::optional<Endpoint>& remote) {
    return netns.run([&]() -> Result<UniqueFd> {
        const sockaddr_in6 address = lab::to_socket_address(local);
        UniqueFd fd(socket(AF_INET6, type | SOCK_CLOEXEC, 0));
        const int on = 1;
        setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
            return fail_errno("bind " + local.to_string());
        }
        if (remote) {
            const sockaddr_in6 peer = lab::to_socket_address(*remote);
            if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) != 0) {
                return fail_errno("connect to " + remote->to_string());
            }
        } else if (type == SOCK_STREAM && listen(fd.get(), 16) != 0) {
            return fail_errno("listen at " + local.to_string());
        }
        return fd;
    });
}

Accepted accept_from(int listener) {
    sockaddr_in6 peer{};
    socklen_t length = sizeof(peer);
    UniqueFd fd(accept4(listener, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
    if (!fd) {
        return {};
    }
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return {.fd = std::move(fd), .peer = lab::to_endpoint(peer)};
}

bool transfer(int from, int to, std::size_t octets) {
    const std::jthread sender([&] { send_pattern(from, octets); });
    std::vector<std::uint8_t> block(65536);
    std::size_t received = 0;
    while (received < octets) {
        const ssize_t count = recv(to, block.data(), block.size(), 0);
        if (count <= 0) {
            return false;
        }
        for (std::size_t i = 0; i < static_cast<std::size_t>(count); i++) {
            if (block[i] != octet_at(received + i)) {
                return false;
            }
        }
        received += static_cast<std::size_t>(count);
    }
    return received == octets;
}

} // namespace stem::test
