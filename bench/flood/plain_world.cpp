// SPDX-License-Identifier: Apache-2.0
#include "flood/plain_world.h"

#include "demo/stage.h"
#include "lab/socket_address.h"

#include <fmt/format.h>
#include <sys/socket.h>

namespace stem::bench {

Result<> route_flood_network(const lab::World& world) {
    const Address outside = world.outside_address(lab::host::intruder, lab::Family::v4);
    if (world.mode() == lab::Mode::bridge) {
        return world.inside().ip(fmt::format("route add {} via {}\n", flood_network, outside.to_string()));
    }
    // The inside's default route leads to the middle.
    return world.middle().ip(fmt::format("route add {} via {}\n", flood_network, outside.to_string()));
}

Result<UniqueFd> listen_at_proxy(const lab::World& world) {
    return world.inside().run([&]() -> Result<UniqueFd> {
        UniqueFd listener(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const Endpoint proxy{.address = world.proxy(lab::Family::v4), .port = 5060};
        const sockaddr_in6 address = lab::to_socket_address(proxy);
        if (!listener ||
            bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            listen(listener.get(), 128) != 0) {
            return fail_errno("listen at TCP " + proxy.to_string());
        }
        return listener;
    });
}

Result<PlainWorld> PlainWorld::create(lab::Mode mode) {
    auto world = lab::World::create({.mode = mode, .middle = lab::Middle::plain});
    if (!world) {
        return std::unexpected(world.error());
    }
    PlainWorld plain(std::move(*world));
    auto ready = route_flood_network(plain.world());
    auto listener = listen_at_proxy(plain.world());
    if (!listener) {
        return std::unexpected(listener.error());
    }
    plain.listener_ = std::move(*listener);
    if (ready) {
        ready = plain.start_kamailio();
    }
    if (!ready) {
        return std::unexpected(ready.error());
    }
    return plain;
}

Result<> PlainWorld::start_kamailio() {
    kamailio_.reset();
    constexpr auto v4 = lab::Family::v4;
    lab::KamailioOptions options{.addresses = {world_.proxy(v4)}};
    for (const auto& [user, host] :
         {std::pair("carol", demo::phone::carol), {"dave", demo::phone::dave}, {"erin", demo::phone::erin}}) {
        options.contacts.push_back(
            {.user = user, .contact = {.address = world_.inside_address(host, v4), .port = 5060}});
    }
    auto kamailio = lab::Kamailio::start(world_.inside(), options);
    if (!kamailio) {
        return std::unexpected(kamailio.error());
    }
    kamailio_.emplace(std::move(*kamailio));
    return {};
}

} // namespace stem::bench
