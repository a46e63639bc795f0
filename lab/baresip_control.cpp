// SPDX-License-Identifier: Apache-2.0
#include "lab/baresip_control.h"

#include "lab/netns.h"
#include "lab/socket_address.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace stem::lab {

using namespace std::chrono_literals;

namespace {

std::string text_of(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

} // namespace

Result<BaresipControl> BaresipControl::connect(const Netns& netns, std::uint16_t port) {
    return netns.run([&]() -> Result<BaresipControl> {
        UniqueFd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto address = to_socket_address({.address = Address::v4({127, 0, 0, 1}), .port = port});
        if (!socket ||
            ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            return fail_errno(fmt::format("connect to baresip's control port {}", port));
        }
        return BaresipControl(std::move(socket));
    });
}

Result<std::string> BaresipControl::command(std::string_view name, std::string_view parameters) {
    const std::string token = std::to_string(++commands_);
    const std::string json = boost::json::serialize(
        boost::json::object{{"command", name}, {"params", parameters}, {"token", token}});
    const std::string netstring = fmt::format("{}:{},", json.size(), json);
    const std::string attempt = fmt::format("give baresip the command {} {}", name, parameters);
    if (::send(socket_.get(), netstring.data(), netstring.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(netstring.size())) {
        return fail_errno(attempt);
    }
    const auto deadline = std::chrono::steady_clock::now() + 5s;
    while (std::chrono::steady_clock::now() < deadline) {
        read_for(50ms);
        const auto answer = std::ranges::find(answers_, token, &Answer::token);
        if (answer != answers_.end()) {
            return answer->ok ? Result<std::string>(answer->data) : fail(attempt, answer->data);
        }
    }
    return fail(attempt, "no answer within 5 s");
}

const std::vector<BaresipEvent>& BaresipControl::events() {
    read_for(0ms);
    return events_;
}

void BaresipControl::read_for(std::chrono::milliseconds timeout) {
    pollfd source{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    std::array<char, 8192> chunk{};
    for (int wait = static_cast<int>(timeout.count()); poll(&source, 1, wait) == 1; wait = 0) {
        const auto octets = recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
        if (octets <= 0) {
            break;
        }
        received_.append(chunk.data(), static_cast<std::size_t>(octets));
    }
    for (;;) {
        std::size_t length = 0;
        const auto read = std::from_chars(received_.data(), received_.data() + received_.size(), length);
        const auto header = static_cast<std::size_t>(read.ptr - received_.data()) + 1; // with the colon
        if (read.ec != std::errc{} || received_.size() < header + length + 1) {
            return;
        }
        take(std::string_view(received_).substr(header, length));
        received_.erase(0, header + length + 1);
    }
}

void BaresipControl::take(std::string_view json) {
    boost::system::error_code error;
    const auto value = boost::json::parse(boost::json::string_view(json.data(), json.size()), error);
    if (error || !value.is_object()) {
        return;
    }
    const auto& object = value.get_object();
    if (object.contains("event")) {
        events_.push_back({.type = text_of(object, "type"),
                           .peer = text_of(object, "peeruri"),
                           .parameter = text_of(object, "param")});
    } else if (object.contains("response")) {
        const auto* ok = object.if_contains("ok");
        answers_.push_back({.token = text_of(object, "token"),
                            .ok = ok != nullptr && ok->is_bool() && ok->get_bool(),
                            .data = text_of(object, "data")});
    }
}

} // namespace stem::lab
