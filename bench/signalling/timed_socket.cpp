// SPDX-License-Identifier: Apache-2.0
#include "signalling/timed_socket.h"

#include "lab/netns.h"
#include "lab/sip_text.h"
#include "lab/socket_address.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <ctime>

namespace stem::bench {
namespace {

constexpr auto patience = std::chrono::seconds(3);

Moment moment_of(const timespec& time) {
    return Moment(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

Moment stamp_of(msghdr& message) {
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
         control = CMSG_NXTHDR(&message, control)) {
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_TIMESTAMPNS) {
            timespec time{};
            std::memcpy(&time, CMSG_DATA(control), sizeof time);
            return moment_of(time);
        }
    }
    return std::chrono::system_clock::now();
}

template<typename Wanted>
Result<Arrival> receive_where(const TimedSocket& socket, const std::string& what, Wanted wanted) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        auto arrival = socket.receive(
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
        if (!arrival) {
            return fail("wait for " + what + " at " + socket.local().to_string(), "none came in 3 s");
        }
        if (wanted(arrival->text)) {
            return std::move(*arrival);
        }
    }
}

} // namespace

Result<TimedSocket> TimedSocket::open(const lab::Netns& netns, const Endpoint& local) {
    auto socket = lab::bind_udp(netns, local);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    const int on = 1;
    if (setsockopt(socket->get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) {
        return fail_errno("have the kernel stamp what arrives at " + local.to_string());
    }
    auto bound = lab::bound_endpoint(socket->get());
    if (!bound) {
        return std::unexpected(bound.error());
    }
    return TimedSocket(std::move(*socket), *bound);
}

Result<Moment> TimedSocket::send(const Endpoint& to, std::string_view text) const {
    const sockaddr_in6 address = lab::to_socket_address(to);
    const Moment before = std::chrono::system_clock::now();
    if (sendto(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address),
               sizeof address) != static_cast<ssize_t>(text.size())) {
        return fail_errno("send to " + to.to_string());
    }
    return before;
}

std::optional<Arrival> TimedSocket::receive(std::chrono::milliseconds timeout) const {
    pollfd source{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (timeout.count() > 0 && poll(&source, 1, static_cast<int>(timeout.count())) != 1) {
        return std::nullopt;
    }
    std::array<char, 4096> text{};
    alignas(cmsghdr) std::array<char, 128> control{};
    sockaddr_in6 from{};
    iovec place{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto received = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (received < 0) {
        return std::nullopt;
    }
    return Arrival{.at = stamp_of(message),
                   .from = lab::to_endpoint(from),
                   .text = std::string(text.data(), static_cast<std::size_t>(received))};
}

Result<Arrival> TimedSocket::receive_request(std::string_view method) const {
    return receive_where(*this, std::string(method), [&](std::string_view text) {
        return lab::status_of(text) == 0 && lab::method_of(text) == method;
    });
}

Result<Arrival> TimedSocket::receive_final(std::string_view method) const {
    return receive_where(*this, "a final response to " + std::string(method), [&](std::string_view text) {
        return lab::status_of(text) >= 200 && lab::method_of(text) == method;
    });
}

} // namespace stem::bench
