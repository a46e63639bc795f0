// SPDX-License-Identifier: Apache-2.0
#include <ctl/frame/inject.h>

#include <ctl/frame/octets.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace stem::frame {
namespace {

Result<UniqueFd> open_raw(int family, std::optional<std::uint32_t> mark) {
    const std::string attempt =
        std::string("open a raw ") + (family == AF_INET ? "IPv4" : "IPv6") + " socket";
    UniqueFd socket(::socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    if (!socket) {
        return fail_errno(attempt, errno, "run with CAP_NET_RAW");
    }
    const int on = 1;
    const int status = family == AF_INET
                           ? ::setsockopt(socket.get(), IPPROTO_IP, IP_HDRINCL, &on, sizeof(on))
                           : ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on));
    if (status != 0) {
        return fail_errno(attempt + " that takes whole packets", errno, "it needs Linux 4.5");
    }
    if (mark && ::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &*mark, sizeof(*mark)) != 0) {
        return fail_errno(attempt + " with mark " + std::to_string(*mark), errno, "run with CAP_NET_ADMIN");
    }
    return socket;
}

InjectError error_of(int code) noexcept {
    switch (code) {
    case EMSGSIZE:
        return {InjectError::Kind::too_big, code};
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EACCES: // a prohibit route, or a broadcast address
        return {InjectError::Kind::no_route, code};
    default:
        return {InjectError::Kind::system, code};
    }
}

template<typename SocketAddress>
std::expected<void, InjectError> send_to(const UniqueFd& socket, Bytes packet,
                                         const SocketAddress& destination) noexcept {
    if (::sendto(socket.get(), packet.data(), packet.size(), 0,
                 reinterpret_cast<const sockaddr*>(&destination), sizeof(destination)) < 0) {
        return std::unexpected(error_of(errno));
    }
    return {};
}

} // namespace

std::string_view to_string(InjectError::Kind kind) noexcept {
    switch (kind) {
    case InjectError::Kind::not_ip:
        return "not one whole IP packet";
    case InjectError::Kind::ttl_expired:
        return "its time to live is over";
    case InjectError::Kind::too_big:
        return "longer than the MTU of its route";
    case InjectError::Kind::no_route:
        return "no route to its destination";
    case InjectError::Kind::system:
        break;
    }
    return "refused by the system";
}

Result<RawInjector> RawInjector::open(std::optional<std::uint32_t> mark) {
    auto v4 = open_raw(AF_INET, mark);
    if (!v4) {
        return std::unexpected(v4.error());
    }
    auto v6 = open_raw(AF_INET6, mark);
    if (!v6) {
        return std::unexpected(v6.error());
    }
    return RawInjector(std::move(*v4), std::move(*v6));
}

std::expected<void, InjectError> RawInjector::send(MutableBytes packet) noexcept {
    const unsigned version = packet.empty() ? 0 : packet[0] >> 4U;
    const bool v4 = version == 4 && packet.size() >= ipv4_header && read16(packet, 2) == packet.size();
    const bool v6 =
        version == 6 && packet.size() >= ipv6_header && ipv6_header + read16(packet, 4) == packet.size();
    if (!v4 && !v6) {
        return std::unexpected(InjectError{InjectError::Kind::not_ip, 0});
    }
    std::uint8_t& ttl = packet[v4 ? 8 : 7];
    if (ttl <= 1) {
        return std::unexpected(InjectError{InjectError::Kind::ttl_expired, 0});
    }
    --ttl;
    if (v4) {
        sockaddr_in destination{};
        destination.sin_family = AF_INET;
        std::memcpy(&destination.sin_addr, packet.subspan(16, 4).data(), 4);
        return send_to(v4_, packet, destination);
    }
    sockaddr_in6 destination{};
    destination.sin6_family = AF_INET6;
    std::memcpy(&destination.sin6_addr, packet.subspan(24, 16).data(), 16);
    return send_to(v6_, packet, destination);
}

} // namespace stem::frame
