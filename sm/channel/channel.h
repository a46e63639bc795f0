// SPDX-License-Identifier: Apache-2.0
// One side's view of one connection: numbers what it sends, and checks what comes in. No transport, and the
// clock is given: what is refused, and why, does not depend on a network.
#pragma once

#include "sm/channel/envelope.h"

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

namespace stem::channel {

struct ChannelSettings {
    std::chrono::milliseconds skew{5000};              // how far a message's time may be from ours
    std::size_t message_limit = default_message_limit; // octets, of one that comes in
};

class Channel {
  public:
    using Clock = std::function<std::chrono::system_clock::time_point()>;
    // Told of every refusal; counted before.
    using Auditor = std::function<void(const Refused&)>;

    // `peer`: what the role of the other side lets it send. `counts` and what `audit` holds must outlive it.
    Channel(Sender peer, const ChannelSettings& settings, Clock clock, RefusalCounts& counts, Auditor audit)
        : peer_(peer), settings_(settings), clock_(std::move(clock)), counts_(counts),
          audit_(std::move(audit)) {}

    // The next message to send.
    [[nodiscard]] std::string make(MessageType type, std::string_view id, const boost::json::object& body);
    // An id that this side has not used on this connection.
    [[nodiscard]] std::string fresh_id();

    // A message that came in, checked but for its body. A refusal is counted and audited already; where
    // Refused::close is set nothing more may be taken from the connection.
    [[nodiscard]] std::expected<Envelope, Refused> accept(std::string_view text);
    // A refusal that only the user of the message can find (body, unasked) or the transport (oversized).
    Refused refuse(Refusal reason, std::string detail, const Envelope* message = nullptr);

    [[nodiscard]] bool greeted() const noexcept { return greeted_; } // the other side's hello came
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }

  private:
    [[nodiscard]] std::expected<void, Refused> check(const Envelope& message);
    Refused count(Refused refused);

    Sender peer_;
    ChannelSettings settings_;
    Clock clock_;
    RefusalCounts& counts_;
    Auditor audit_;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0; // the sequence number of the last one taken
    std::uint64_t ids_ = 0;
    bool greeted_ = false;
};

// The body of a `refused` message.
boost::json::object to_body(const Refused& refused);

} // namespace stem::channel
