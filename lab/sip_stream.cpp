// SPDX-License-Identifier: Apache-2.0
#include "lab/sip_stream.h"

#include "lab/netns.h"
#include "lab/sip_agent.h"
#include "lab/socket_address.h"

#include <fmt/format.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <thread>

namespace stem::lab {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr timeval patience{.tv_sec = 5, .tv_usec = 0};

Result<UniqueFd> open_bound(const Endpoint& local) {
    UniqueFd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const sockaddr_in6 address = to_socket_address(local);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return fail_errno("bind TCP " + local.to_string());
    }
    return fd;
}

std::chrono::milliseconds left_until(Clock::time_point deadline) {
    return std::max(std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()), 0ms);
}

} // namespace

Result<SipStream> SipStream::connect(const Netns& netns, const Endpoint& local, const Endpoint& remote) {
    auto socket = netns.run([&]() -> Result<UniqueFd> {
        auto fd = open_bound(local);
        if (!fd) {
            return fd;
        }
        const sockaddr_in6 peer = to_socket_address(remote);
        if (::connect(fd->get(), reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)) != 0) {
            return fail_errno("connect to " + remote.to_string());
        }
        return fd;
    });
    if (!socket) {
        return std::unexpected(socket.error());
    }
    auto bound = bound_endpoint(socket->get());
    if (!bound) {
        return std::unexpected(bound.error());
    }
    return SipStream(std::move(*socket), *bound, remote);
}

SipRequest SipStream::request(std::string method, std::string_view user, const std::string& uri) const {
    return {.method = std::move(method),
            .uri = uri,
            .via = local_,
            .branch = unique_branch(),
            .from = sip_uri(user, local_.address),
            .from_tag = unique_token(),
            .to = uri,
            .to_tag = "",
            .call_id = unique_token(),
            .cseq = 1,
            .headers = {},
            .body = "",
            .transport = "TCP"};
}

Result<> SipStream::send(std::string_view octets) const {
    while (!octets.empty()) {
        const ssize_t sent = ::send(socket_.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return fail_errno(fmt::format("send {} octets to {}", octets.size(), remote_.to_string()));
        }
        octets.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

Result<> SipStream::send_in_pieces(std::string_view octets, std::size_t piece) const {
    for (std::size_t at = 0; at < octets.size(); at += piece) {
        if (auto sent = send(octets.substr(at, piece)); !sent) {
            return sent;
        }
        std::this_thread::sleep_for(500us);
    }
    return {};
}

bool SipStream::read_some(std::chrono::milliseconds timeout) {
    pollfd source{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (end_ != End::none || ::poll(&source, 1, static_cast<int>(timeout.count())) != 1) {
        return false;
    }
    std::array<char, 65536> octets{};
    const ssize_t count = ::recv(socket_.get(), octets.data(), octets.size(), 0);
    if (count > 0) {
        received_.append(octets.data(), static_cast<std::size_t>(count));
        return true;
    }
    end_ = count == 0 ? End::closed : End::reset;
    return false;
}

std::optional<std::string> SipStream::take_message() {
    const std::size_t headers = received_.find("\r\n\r\n");
    if (headers == std::string::npos || headers == 0) {
        return std::nullopt;
    }
    std::size_t body = 0;
    const auto length = header_of(received_, "Content-Length").value_or("0");
    std::from_chars(length.data(), length.data() + length.size(), body);
    const std::size_t total = headers + 4 + body;
    if (received_.size() < total) {
        return std::nullopt;
    }
    std::string message = received_.substr(0, total);
    received_.erase(0, total);
    return message;
}

std::optional<std::string> SipStream::receive(std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        if (auto message = take_message()) {
            return message;
        }
        if (!read_some(left_until(deadline))) {
            return std::nullopt;
        }
    }
}

std::optional<std::string> SipStream::receive_where(const std::function<bool(std::string_view)>& wanted,
                                                    std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    for (;;) {
        auto message = receive(left_until(deadline));
        if (!message || wanted(*message)) {
            return message;
        }
    }
}

std::optional<std::string> SipStream::receive_final(std::string_view method,
                                                    std::chrono::milliseconds timeout) {
    return receive_where(
        [&](std::string_view text) { return status_of(text) >= 200 && method_of(text) == method; }, timeout);
}

std::optional<std::string> SipStream::receive_request(std::string_view method,
                                                      std::chrono::milliseconds timeout) {
    return receive_where(
        [&](std::string_view text) { return status_of(text) == 0 && method_of(text) == method; }, timeout);
}

std::string SipStream::receive_octets(std::size_t count, std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    while (received_.size() < count && read_some(left_until(deadline))) {
    }
    return std::exchange(received_, {});
}

SipStream::End SipStream::wait_for_end(std::chrono::milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    while (read_some(left_until(deadline))) {
    }
    return end_;
}

void SipStream::close_writing() const {
    ::shutdown(socket_.get(), SHUT_WR);
}

Result<SipListener> SipListener::create(const Netns& netns, const Endpoint& local) {
    auto socket = netns.run([&]() -> Result<UniqueFd> {
        auto fd = open_bound(local);
        if (fd && ::listen(fd->get(), 64) != 0) {
            return fail_errno("listen at TCP " + local.to_string());
        }
        return fd;
    });
    if (!socket) {
        return std::unexpected(socket.error());
    }
    return SipListener(std::move(*socket), local);
}

std::optional<SipStream> SipListener::accept(std::chrono::milliseconds timeout) const {
    pollfd source{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&source, 1, static_cast<int>(timeout.count())) != 1) {
        return std::nullopt;
    }
    sockaddr_in6 peer{};
    socklen_t length = sizeof(peer);
    UniqueFd fd(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_CLOEXEC));
    if (!fd) {
        return std::nullopt;
    }
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return SipStream(std::move(fd), local_, to_endpoint(peer));
}

} // namespace stem::lab
