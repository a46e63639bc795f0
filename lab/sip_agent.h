// SPDX-License-Identifier: Apache-2.0
// A scripted SIP endpoint: a UDP socket that sends the texts of lab/sip_text.h and waits for answers. No
// transactions, no retransmission, no dialogs: the test decides every datagram.
#pragma once

#include "lab/sip_text.h"

#include <stem/address.h>
#include <stem/error.h>
#include <stem/unique_fd.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace stem::lab {

class Netns;

struct SipDatagram {
    Endpoint from;
    std::string text;
};

class SipAgent {
  public:
    // Binds `local`; port 0 lets the kernel choose.
    static Result<SipAgent> create(const Netns& netns, const Endpoint& local);

    [[nodiscard]] const Endpoint& local() const noexcept { return local_; }

    // A request with Via, branch, tags and Call-ID of its own, from sip:`user`@our address to `uri`.
    [[nodiscard]] SipRequest request(std::string method, std::string_view user, const std::string& uri) const;

    Result<> send(const Endpoint& to, std::string_view text) const;
    // The next datagram; nothing when none came within `timeout`.
    [[nodiscard]] std::optional<SipDatagram> receive(std::chrono::milliseconds timeout) const;
    // The next datagram for which `wanted` holds; those before it are dropped.
    [[nodiscard]] std::optional<SipDatagram>
    receive_where(const std::function<bool(std::string_view)>& wanted,
                  std::chrono::milliseconds timeout) const;
    // The next final response (200 and above) to a request of that method.
    [[nodiscard]] std::optional<SipDatagram> receive_final(std::string_view method,
                                                           std::chrono::milliseconds timeout) const;
    // The next request of that method.
    [[nodiscard]] std::optional<SipDatagram> receive_request(std::string_view method,
                                                             std::chrono::milliseconds timeout) const;

  private:
    SipAgent(UniqueFd socket, Endpoint local) : socket_(std::move(socket)), local_(local) {}

    UniqueFd socket_;
    Endpoint local_;
};

// Different at each call, in every run: for Call-IDs and tags.
[[nodiscard]] std::string unique_token();
[[nodiscard]] std::string unique_branch(); // with the magic cookie of RFC 3261 8.1.1.7

} // namespace stem::lab
