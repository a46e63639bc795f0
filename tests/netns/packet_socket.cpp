// SPDX-License-Identifier: Apache-2.0
#include "packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

namespace stem::test {

Result<PacketSocket> PacketSocket::open(const lab::Netns& netns, const std::string& interface) {
    return netns.run([&interface]() -> Result<PacketSocket> {
        const std::string attempt = "open a packet socket on " + interface;
        UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
        if (!fd) {
            return fail_errno(attempt);
        }
        const int on = 1;
        const int buffer = 64 << 20;
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
        if (::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
            ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) != 0 ||
            ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
            return fail_errno(attempt);
        }
        return PacketSocket(std::move(fd));
    });
}

bool PacketSocket::send(std::span<const std::uint8_t> frame) const noexcept {
    return ::send(fd_.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
}

std::vector<std::uint8_t> PacketSocket::receive() const {
    std::vector<std::uint8_t> frame(4096);
    const ssize_t size = ::recv(fd_.get(), frame.data(), frame.size(), 0);
    frame.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return frame;
}

std::vector<std::uint8_t> PacketSocket::await() const {
    pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, 1000);
    return receive();
}

} // namespace stem::test
