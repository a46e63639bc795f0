// SPDX-License-Identifier: Apache-2.0
// A firewall's control channel: the WebSocket, and what is said over it.
//
// Lives by its pending operations. What is to be sent waits in a bounded queue; parts of a snapshot are put
// there only when it is empty, so that a decision never waits behind more than one of them.
#pragma once

#include "sm/channel/channel.h"
#include "sm/server/service.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stem::smd {

using Stream = boost::beast::ssl_stream<boost::beast::tcp_stream>;

class FirewallSession : public std::enable_shared_from_this<FirewallSession> {
  public:
    // `place` is held as long as the session lives; `service` must outlive it.
    FirewallSession(Stream stream, tls::Peer peer, std::string address, Service& service,
                    std::shared_ptr<void> place);
    ~FirewallSession();
    FirewallSession(const FirewallSession&) = delete;
    FirewallSession& operator=(const FirewallSession&) = delete;

    void begin(const boost::beast::http::request<boost::beast::http::string_body>& upgrade);
    void push_thresholds();
    void instruct(const channel::DenyInstruction& instruction, const std::string& who);
    // Once a second: is the peer alive and still believed, is a snapshot due?
    void tick();
    // At once, without a word.
    void cut();

    [[nodiscard]] const pki::Identity& identity() const noexcept { return peer_.identity; }
    [[nodiscard]] const pki::Certificate& certificate() const noexcept { return peer_.certificate; }
    [[nodiscard]] bool greeted() const noexcept { return channel_.greeted(); }
    [[nodiscard]] std::string who() const; // "firewall fw1 at 192.0.2.1"
    [[nodiscard]] boost::json::object describe() const;

  private:
    using Socket = boost::beast::websocket::stream<Stream>;

    struct Asked {
        std::string what;                                  // for people
        std::optional<std::int64_t> thresholds = {};       // their version
        std::optional<channel::DenyInstruction> deny = {}; // as it was sent
    };

    void tell(Asked asked); // to deny somebody
    void tell_again();
    void read();
    void received(boost::system::error_code error);
    void handle(const channel::Envelope& message);
    void decide(const std::string& id, const sm::Query& query);
    void on_hello(const channel::Envelope& message);
    void on_ack(const channel::Envelope& message);
    void on_refused(const channel::Envelope& message);
    void send(channel::MessageType type, std::string_view id, const boost::json::object& body);
    void refuse(const channel::Refused& refused);
    void write();
    void written(boost::system::error_code error);
    void close();
    void offer_snapshot();
    void send_next_part();
    void log_end(boost::system::error_code error);

    Socket socket_;
    tls::Peer peer_;
    std::string address_;
    Service& service_;
    std::shared_ptr<void> place_;
    channel::Channel channel_;
    boost::beast::flat_buffer buffer_;
    std::deque<std::string> queue_;
    std::size_t queued_octets_ = 0;
    bool writing_ = false;
    bool closing_ = false;
    bool over_ = false;
    channel::Hello hello_;
    std::map<std::string, Asked> asked_; // by the id of what waits for an ack
    std::vector<Asked> again_;           // was under way for too long; told once more by the next tick
    std::int64_t thresholds_acknowledged_ = -1;
    std::shared_ptr<const ReadySnapshot> snapshot_; // being sent, or sent last
    bool content_taken_ = false;                    // the firewall has that content
    std::string snapshot_id_;
    std::size_t snapshot_part_ = 0; // the next one
    std::chrono::steady_clock::time_point heard_;
    std::chrono::steady_clock::time_point closing_since_;
    std::chrono::system_clock::time_point since_;
};

} // namespace stem::smd
