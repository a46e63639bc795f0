// SPDX-License-Identifier: Apache-2.0
// A crowd of phones behind one address that all register at once, and a registrar that asks each for
// credentials. Retransmissions as RFC 3261 17.1.2.2 has them; no more of SIP than that.
#pragma once

#include "lab/sip_agent.h"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace stem::test {

// Answers REGISTER with 401, and one that carries credentials with 200 and its contact. Until it is gone.
class ChallengingRegistrar {
  public:
    explicit ChallengingRegistrar(lab::SipAgent agent) : agent_(std::move(agent)) {}
    // Answers what waits, and returns.
    void serve() const;

  private:
    lab::SipAgent agent_;
};

// "sip:192.0.2.5": what a REGISTER asks (RFC 3261 10.2).
[[nodiscard]] std::string registrar_uri(const Address& registrar);

class PhoneCrowd {
  public:
    // `sockets`: each has phones / sockets of them.
    PhoneCrowd(std::vector<lab::SipAgent> sockets, std::size_t phones, const Endpoint& registrar);

    // Sends what is due, and takes in what came.
    void run();
    [[nodiscard]] std::size_t registered() const { return registered_; }
    [[nodiscard]] std::size_t sent() const { return sent_; }
    [[nodiscard]] std::size_t gave_up() const { return gave_up_; }

  private:
    using Clock = std::chrono::steady_clock;
    struct Phone {
        lab::SipRequest request;
        std::size_t socket = 0;
        bool challenged = false;
        bool done = false;
        Clock::time_point due;
        Clock::time_point begun;
        Clock::duration wait{};
    };
    void transmit(Phone& phone);
    void begin_transaction(Phone& phone);
    void answered(std::string_view response);

    std::vector<lab::SipAgent> sockets_;
    std::vector<Phone> phones_;
    Endpoint registrar_;
    std::size_t registered_ = 0;
    std::size_t sent_ = 0;
    std::size_t gave_up_ = 0;
};

} // namespace stem::test
