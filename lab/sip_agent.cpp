// SPDX-License-Identifier: Apache-2.0
#include "lab/sip_agent.h"

#include "lab/socket_address.h"

#include <fmt/format.h>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>

namespace stem::lab {

Result<SipAgent> SipAgent::create(const Netns& netns, const Endpoint& local) {
    auto socket = bind_udp(netns, local);
    if (!socket) {
        return std::unexpected(socket.error());
    }
    auto bound = bound_endpoint(socket->get());
    if (!bound) {
        return std::unexpected(bound.error());
    }
    return SipAgent(std::move(*socket), *bound);
}

SipRequest SipAgent::request(std::string method, std::string_view user, const std::string& uri) const {
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
            .body = ""};
}

Result<> SipAgent::send(const Endpoint& to, std::string_view text) const {
    const sockaddr_in6 address = to_socket_address(to);
    if (sendto(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address),
               sizeof address) != static_cast<ssize_t>(text.size())) {
        return fail_errno(fmt::format("send {} octets to {}", text.size(), to.to_string()));
    }
    return {};
}

std::optional<SipDatagram> SipAgent::receive(std::chrono::milliseconds timeout) const {
    pollfd source{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (poll(&source, 1, static_cast<int>(std::max<std::int64_t>(timeout.count(), 0))) != 1) {
        return std::nullopt;
    }
    std::string text(65535, '\0');
    sockaddr_in6 from{};
    socklen_t length = sizeof from;
    const auto received =
        recvfrom(socket_.get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (received < 0) {
        return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(received));
    return SipDatagram{.from = to_endpoint(from), .text = std::move(text)};
}

std::optional<SipDatagram> SipAgent::receive_where(const std::function<bool(std::string_view)>& wanted,
                                                   std::chrono::milliseconds timeout) const {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    for (;;) {
        auto datagram = receive(
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
        if (!datagram || wanted(datagram->text)) {
            return datagram;
        }
    }
}

std::optional<SipDatagram> SipAgent::receive_final(std::string_view method,
                                                   std::chrono::milliseconds timeout) const {
    return receive_where(
        [&](std::string_view text) { return status_of(text) >= 200 && method_of(text) == method; }, timeout);
}

std::optional<SipDatagram> SipAgent::receive_request(std::string_view method,
                                                     std::chrono::milliseconds timeout) const {
    return receive_where(
        [&](std::string_view text) { return status_of(text) == 0 && method_of(text) == method; }, timeout);
}

std::string unique_token() {
    static thread_local std::mt19937_64 source{std::random_device{}()};
    return fmt::format("{:016x}", source());
}

std::string unique_branch() {
    return "z9hG4bK" + unique_token();
}

} // namespace stem::lab
