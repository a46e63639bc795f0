// SPDX-License-Identifier: Apache-2.0
// Links that stand between the call monitor and the Security Manager's own: one counts, one delays.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sm/auth/authenticator.h"
#include "sm/decision.h"

namespace stem::stemd {

struct DecisionCounts {
    std::uint64_t accepted = 0;
    std::uint64_t forwarded = 0;
    std::uint64_t rejected = 0;
    std::uint64_t dropped = 0;
    std::uint64_t challenged = 0; // asked who is calling
    std::uint64_t spam = 0;       // dropped, because the caller is on a spam list
};

class CountingLink final : public sm::Link {
  public:
    // `inner` must outlive it.
    explicit CountingLink(sm::Link& inner) : inner_(inner), counts_(std::make_shared<DecisionCounts>()) {}

    void decide(const sm::Query& query, std::function<void(sm::Decision)> done) override;
    void learn(const Binding& binding) override { inner_.learn(binding); }
    void report(const StreamEnd& end) override { inner_.report(end); }
    void follow(const CallEvent& event) override { inner_.follow(event); }

    [[nodiscard]] const DecisionCounts& counts() const noexcept { return *counts_; }

  private:
    sm::Link& inner_;
    std::shared_ptr<DecisionCounts> counts_; // answers may come after this link is gone
};

// Gives every decision late, on purpose: the drill of [sm] drill_delay_ms.
class DelayedLink final : public sm::Link {
  public:
    // `inner` must outlive it, and `loop` too.
    DelayedLink(boost::asio::io_context& loop, sm::Link& inner) : loop_(loop), inner_(inner) {}

    // 0: at once.
    void set_delay(std::chrono::milliseconds delay) noexcept { delay_ = delay; }
    void decide(const sm::Query& query, std::function<void(sm::Decision)> done) override;
    void learn(const Binding& binding) override { inner_.learn(binding); }
    void report(const StreamEnd& end) override { inner_.report(end); }
    void follow(const CallEvent& event) override { inner_.follow(event); }

  private:
    boost::asio::io_context& loop_;
    sm::Link& inner_;
    std::chrono::milliseconds delay_{0};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true); // decisions on the way die with the link
};

// Finds out who makes a call from inside, where the decision asks for it.
class AuthenticatingLink final : public sm::Link {
  public:
    // Both must outlive it.
    AuthenticatingLink(auth::Authenticator& authenticator, sm::Link& inner, auth::Authenticator::Note note)
        : authenticator_(authenticator), inner_(inner), note_(std::move(note)) {}

    void decide(const sm::Query& query, std::function<void(sm::Decision)> done) override;
    void learn(const Binding& binding) override { inner_.learn(binding); }
    void report(const StreamEnd& end) override { inner_.report(end); }
    void follow(const CallEvent& event) override { inner_.follow(event); }

  private:
    auth::Authenticator& authenticator_;
    sm::Link& inner_;
    auth::Authenticator::Note note_;
};

} // namespace stem::stemd
