// SPDX-License-Identifier: Apache-2.0
// One connection of the control channel, from the look-up of the server's name to its end. Lives by its
// pending operations; tells its owner what comes, until the owner lets go.
#pragma once

#include "ctl/smlink/settings.h"
#include "sm/channel/bodies.h"
#include "sm/channel/channel.h"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace stem::smlink {

class SessionOwner {
  public:
    SessionOwner() = default;
    virtual ~SessionOwner() = default;
    SessionOwner(const SessionOwner&) = delete;
    SessionOwner& operator=(const SessionOwner&) = delete;

    virtual void on_ready(const channel::Hello& hello) = 0;
    // A message that passed the channel's checks; not hello.
    virtual void on_message(const channel::Envelope& message) = 0;
    virtual void on_end(const std::string& why) = 0; // once; nothing comes after it
};

class Session {
  public:
    // All must outlive it but `credentials`, which it shares.
    Session(boost::asio::io_context& loop, const Settings& settings,
            std::shared_ptr<tls::Credentials> credentials, channel::RefusalCounts& counts,
            SessionOwner& owner);
    ~Session(); // lets go, and closes
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void connect(const std::string& server, const channel::Hello& hello);
    [[nodiscard]] bool ready() const;
    [[nodiscard]] std::string fresh_id();
    void send(channel::MessageType type, std::string_view id, const boost::json::object& body);
    // Counts it, tells the other side, and closes where that is called for.
    void refuse(channel::Refusal reason, const std::string& detail, const channel::Envelope& message);
    // Ends it; on_end() comes with `why`.
    void end(const std::string& why);
    // Of the server, once hands were shaken.
    [[nodiscard]] const tls::Peer* peer() const;
    [[nodiscard]] std::chrono::steady_clock::time_point heard() const; // when something came last

  private:
    class Wire;
    std::shared_ptr<Wire> wire_;
};

} // namespace stem::smlink
