// SPDX-License-Identifier: Apache-2.0
// Takes connections in, and knows all that are up: those whose peers have not shown who they are yet, and
// those whose peers have. Each kind is bounded by itself, so that strangers cannot keep firewalls out.
#pragma once

#include "sm/server/service.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <memory>
#include <set>

namespace stem::smd {

class Connection;
class FirewallSession;

// All connections of all listeners.
class Connections {
  public:
    explicit Connections(Service& service) : service_(service) {}

    void begin(boost::asio::ip::tcp::socket socket);
    // For the peer that has shown itself: a place among those; nullptr: there is none left.
    std::shared_ptr<void> place(Connection& connection);
    void forget(Connection& connection);

    // Closes those whose certificates are not believed any more. `deeply`: ask the trust store, too; else
    // only the clock.
    void judge(bool deeply);
    void close_all();
    void watch(const std::shared_ptr<FirewallSession>& session);
    [[nodiscard]] Service& service() noexcept { return service_; }

  private:
    struct Shaking {
        Connection* connection;
        std::string network; // of its address
    };

    void displace();
    [[nodiscard]] std::string doubt(const pki::Certificate& certificate, bool deeply) const;

    Service& service_;
    std::list<Shaking> shaking_; // oldest first; they keep themselves alive
    std::set<Connection*> known_;
    std::list<std::weak_ptr<FirewallSession>> channels_;
    std::size_t taken_ = 0; // places
};

class Listener : public std::enable_shared_from_this<Listener> {
  public:
    // `connections` must outlive it.
    Listener(boost::asio::io_context& loop, Connections& connections)
        : loop_(loop), connections_(connections), pause_(loop) {}

    Result<> open(const Endpoint& endpoint);
    void accept();
    void close();

  private:
    boost::asio::io_context& loop_;
    Connections& connections_;
    boost::asio::steady_timer pause_;
    std::optional<boost::asio::ip::tcp::acceptor> acceptor_;
};

} // namespace stem::smd
