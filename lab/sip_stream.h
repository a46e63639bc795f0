// SPDX-License-Identifier: Apache-2.0
// A scripted SIP endpoint over the kernel's TCP: one connection, of which the test decides every octet.
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

class SipStream {
  public:
    // From `local` (port 0: the kernel's choice) to `remote`; an Error after five seconds.
    static Result<SipStream> connect(const Netns& netns, const Endpoint& local, const Endpoint& remote);

    [[nodiscard]] const Endpoint& local() const noexcept { return local_; }
    [[nodiscard]] const Endpoint& remote() const noexcept { return remote_; }
    // As SipAgent::request(), with Via's transport TCP.
    [[nodiscard]] SipRequest request(std::string method, std::string_view user, const std::string& uri) const;

    Result<> send(std::string_view octets) const;
    // In segments of so many octets each, as far as the kernel goes along (TCP_NODELAY, and waiting between
    // them).
    Result<> send_in_pieces(std::string_view octets, std::size_t piece) const;
    // The next message, by its Content-Length; nothing when none was whole within `timeout`.
    [[nodiscard]] std::optional<std::string> receive(std::chrono::milliseconds timeout);
    // The next message for which `wanted` holds; those before it are dropped.
    [[nodiscard]] std::optional<std::string>
    receive_where(const std::function<bool(std::string_view)>& wanted, std::chrono::milliseconds timeout);
    [[nodiscard]] std::optional<std::string> receive_final(std::string_view method,
                                                           std::chrono::milliseconds timeout);
    [[nodiscard]] std::optional<std::string> receive_request(std::string_view method,
                                                             std::chrono::milliseconds timeout);
    // What came and is no message: keep-alives. Waits until there are so many octets.
    [[nodiscard]] std::string receive_octets(std::size_t count, std::chrono::milliseconds timeout);
    // What the other end has done to the connection.
    enum class End { none, closed, reset };
    [[nodiscard]] End wait_for_end(std::chrono::milliseconds timeout);
    void close_writing() const; // FIN

  private:
    friend class SipListener;
    SipStream(UniqueFd socket, Endpoint local, Endpoint remote)
        : socket_(std::move(socket)), local_(local), remote_(remote) {}
    bool read_some(std::chrono::milliseconds timeout); // false: nothing came
    std::optional<std::string> take_message();

    UniqueFd socket_;
    Endpoint local_;
    Endpoint remote_;
    std::string received_;
    End end_ = End::none;
};

class SipListener {
  public:
    static Result<SipListener> create(const Netns& netns, const Endpoint& local);
    // The next connection; nothing when none came within `timeout`.
    [[nodiscard]] std::optional<SipStream> accept(std::chrono::milliseconds timeout) const;

  private:
    SipListener(UniqueFd socket, Endpoint local) : socket_(std::move(socket)), local_(local) {}

    UniqueFd socket_;
    Endpoint local_;
};

} // namespace stem::lab
