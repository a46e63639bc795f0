// SPDX-License-Identifier: Apache-2.0
#include "sm/server/listener.h"

#include "sm/server/connection.h"
#include "sm/server/firewall_session.h"

#include <boost/asio/ip/v6_only.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace stem::smd {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// How long nothing is accepted after the process ran out of descriptors.
constexpr auto accept_pause = std::chrono::milliseconds(200);

// A host of IPv6 has a /64 of addresses.
std::string network_of(const asio::ip::address& address) {
    if (address.is_v4() || address.to_v6().is_v4_mapped()) {
        return address.to_string();
    }
    const auto octets = address.to_v6().to_bytes();
    return {octets.begin(), octets.begin() + octets.size() / 2};
}

} // namespace

Result<> Listener::open(const Endpoint& endpoint) {
    const std::string attempt = "listen on " + endpoint.to_string();
    error_code error;
    const auto address = asio::ip::make_address(endpoint.address.to_string(), error);
    const tcp::endpoint local(address, endpoint.port);
    acceptor_.emplace(loop_);
    if (!error) {
        acceptor_->open(local.protocol(), error);
    }
    if (!error) {
        acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error && address.is_v6()) {
        acceptor_->set_option(asio::ip::v6_only(true), error);
    }
    if (!error) {
        acceptor_->bind(local, error);
    }
    if (!error) {
        acceptor_->listen(asio::socket_base::max_listen_connections, error);
    }
    return error ? fail_errno(attempt, error.value(), "choose another [server] listen") : Result<>();
}

void Listener::accept() {
    acceptor_->async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
        if (error == asio::error::operation_aborted) {
            return;
        }
        if (error) {
            spdlog::warn("a connection could not be taken in: {}", error.message());
            self->pause_.expires_after(accept_pause);
            self->pause_.async_wait([self](error_code stopped) {
                if (!stopped) {
                    self->accept();
                }
            });
            return;
        }
        self->connections_.begin(std::move(socket));
        self->accept();
    });
}

void Listener::close() {
    error_code ignored;
    acceptor_->close(ignored);
    pause_.cancel();
}

// The oldest of the network that has most of them: one host that opens many displaces its own.
void Connections::displace() {
    std::map<std::string_view, std::size_t> shares;
    std::size_t most = 0;
    for (const Shaking& each : shaking_) {
        most = std::max(most, ++shares[each.network]);
    }
    const auto oldest =
        std::ranges::find_if(shaking_, [&](const Shaking& each) { return shares[each.network] == most; });
    ++service_.counts().displaced;
    oldest->connection->cut();
    shaking_.erase(oldest);
}

void Connections::begin(tcp::socket socket) {
    error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error) {
        return; // gone already
    }
    socket.set_option(tcp::no_delay(true), error);
    ++service_.counts().accepted;
    if (shaking_.size() >= service_.config().server.handshakes) {
        displace();
    }
    const auto connection =
        std::make_shared<Connection>(std::move(socket), remote.address().to_string(), *this);
    shaking_.push_back({connection.get(), network_of(remote.address())});
    connection->shake_hands();
}

std::shared_ptr<void> Connections::place(Connection& connection) {
    std::erase_if(shaking_, [&](const Shaking& each) { return each.connection == &connection; });
    if (taken_ >= service_.config().server.connections) {
        ++service_.counts().too_many;
        return nullptr;
    }
    known_.insert(&connection);
    ++taken_;
    return {this, [](Connections* all) { --all->taken_; }};
}

void Connections::forget(Connection& connection) {
    std::erase_if(shaking_, [&](const Shaking& each) { return each.connection == &connection; });
    known_.erase(&connection);
}

void Connections::watch(const std::shared_ptr<FirewallSession>& session) {
    std::erase_if(channels_, [](const auto& gone) { return gone.expired(); });
    channels_.push_back(session);
}

std::string Connections::doubt(const pki::Certificate& certificate, bool deeply) const {
    if (certificate.not_after() <= Service::now()) {
        return "its certificate has run out";
    }
    if (deeply) {
        if (const auto believed = service_.credentials()->trust().verify(certificate, pki::Purpose::client);
            !believed) {
            return believed.error().message();
        }
    }
    return {};
}

void Connections::judge(bool deeply) {
    const auto end = [&](const std::string& who, const std::string& why) {
        ++service_.counts().revoked;
        service_.audit().done(who, "connection closed: " + why);
    };
    const auto known = known_;
    for (Connection* connection : known) {
        if (const auto why = doubt(*connection->certificate(), deeply); !why.empty()) {
            end(connection->who(), why);
            connection->cut();
        }
    }
    for (const auto& weak : channels_) {
        const auto session = weak.lock();
        if (!session) {
            continue;
        }
        if (const auto why = doubt(session->certificate(), deeply); !why.empty()) {
            end(session->who(), why);
            session->cut();
        }
    }
    std::erase_if(channels_, [](const auto& gone) { return gone.expired(); });
}

void Connections::close_all() {
    for (const auto& [connection, network] : shaking_) {
        connection->cut();
    }
    for (Connection* connection : known_) {
        connection->cut();
    }
    for (const auto& weak : channels_) {
        if (const auto session = weak.lock()) {
            session->cut();
        }
    }
}

} // namespace stem::smd
