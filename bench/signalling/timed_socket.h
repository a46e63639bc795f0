// SPDX-License-Identifier: Apache-2.0
// A UDP socket that knows when its datagrams left and arrived.
#pragma once

#include <stem/address.h>
#include <stem/error.h>
#include <stem/unique_fd.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace stem::lab {
class Netns;
}

namespace stem::bench {

using Moment = std::chrono::system_clock::time_point; // the clock of the kernel's receive time stamps

struct Arrival {
    Moment at; // when the kernel had it in hand: the wait for the reader to wake up is not in it
    Endpoint from;
    std::string text;
};

class TimedSocket {
  public:
    static Result<TimedSocket> open(const lab::Netns& netns, const Endpoint& local);

    [[nodiscard]] const Endpoint& local() const noexcept { return local_; }
    // The moment just before the datagram was handed to the kernel.
    Result<Moment> send(const Endpoint& to, std::string_view text) const;
    // Nothing when none came within `timeout`; 0 does not wait.
    [[nodiscard]] std::optional<Arrival> receive(std::chrono::milliseconds timeout) const;
    // The next SIP request of that method, or the next final response to one; others are dropped.
    [[nodiscard]] Result<Arrival> receive_request(std::string_view method) const;
    [[nodiscard]] Result<Arrival> receive_final(std::string_view method) const;

  private:
    TimedSocket(UniqueFd socket, Endpoint local) : socket_(std::move(socket)), local_(local) {}

    UniqueFd socket_;
    Endpoint local_;
};

} // namespace stem::bench
