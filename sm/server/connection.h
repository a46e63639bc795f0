// SPDX-License-Identifier: Apache-2.0
// One connection: the TLS handshake, who the peer is, requests and answers, and the way over to a control
// channel. Lives by its pending operation.
#pragma once

#include "sm/server/firewall_session.h"
#include "sm/server/listener.h"

#include <boost/beast/http/parser.hpp>

#include <memory>
#include <optional>

namespace stem::smd {

class Connection : public std::enable_shared_from_this<Connection> {
  public:
    // `connections` must outlive it.
    Connection(boost::asio::ip::tcp::socket socket, std::string address, Connections& connections);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void shake_hands();
    void cut();
    // Once it has shown it.
    [[nodiscard]] const pki::Certificate* certificate() const {
        return peer_ ? &peer_->certificate : nullptr;
    }
    [[nodiscard]] std::string who() const;

  private:
    void shaken(boost::system::error_code error);
    void read();
    void read_body(boost::system::error_code error);
    void received(boost::system::error_code error);
    void answer();
    void answer_with_password();
    void become_channel();
    void write(Service::Reply reply);
    void refuse(int status, const std::string& what);

    Connections& connections_;
    std::shared_ptr<tls::Credentials> credentials_; // of the handshake
    std::optional<Stream> stream_;
    std::string address_;
    std::optional<tls::Peer> peer_;
    std::shared_ptr<void> place_;
    boost::beast::flat_buffer buffer_;
    std::size_t body_limit_ = sm::max_import_length;
    std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
    boost::beast::http::response<boost::beast::http::string_body> response_;
    bool keep_alive_ = false;
    bool anonymous_ = false; // has shown no certificate, and must show a password with each request
};

} // namespace stem::smd
