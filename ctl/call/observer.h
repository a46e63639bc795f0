// SPDX-License-Identifier: Apache-2.0
// What the call monitor sees that says who is somebody, only what was answered, never what was only sent; and
// who is to be denied.
#pragma once

#include <stem/address.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace stem::call {

class Observer {
  public:
    Observer() = default;
    virtual ~Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

    // A REGISTER was answered with 200. `peer`: the address outside that took part in it. `binding`: address
    // of record and contact. `lifetime` 0: the binding is gone.
    virtual void registered(const Address& peer, const std::string& binding, std::chrono::seconds lifetime,
                            std::uint64_t now_ns) = 0;
    // An INVITE was answered with 2xx, and that with ACK.
    virtual void call_up(std::uint64_t dialog, const Address& peer, std::uint64_t now_ns) = 0;
    virtual void call_over(std::uint64_t dialog, std::uint64_t now_ns) = 0;
    // The first answer of somebody (ringing, yes, busy, declined) to an INVITE from outside; not of a server
    // that asks for credentials, or does not know whom the caller wants.
    virtual void invite_answered() = 0;
    // The same call again, as its first INVITE was asked for credentials.
    virtual void invite_retried() = 0;
    // The Security Manager wants the source of an INVITE from outside denied for a time. `note`: why.
    virtual void deny_asked(const Address& source, std::chrono::seconds lifetime,
                            const std::string& note) = 0;
};

// Sees nothing.
class NoObserver final : public Observer {
  public:
    void registered(const Address&, const std::string&, std::chrono::seconds, std::uint64_t) override {}
    void call_up(std::uint64_t, const Address&, std::uint64_t) override {}
    void call_over(std::uint64_t, std::uint64_t) override {}
    void invite_answered() override {}
    void invite_retried() override {}
    void deny_asked(const Address&, std::chrono::seconds, const std::string&) override {}
};

} // namespace stem::call
