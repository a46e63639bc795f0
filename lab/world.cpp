// SPDX-License-Identifier: Apache-2.0
#include "lab/world.h"

#include <fmt/format.h>

#include <array>

#include <string>
#include <utility>
#include <vector>

namespace stem::lab {
namespace {

constexpr std::array<Family, 2> both_families = {Family::v4, Family::v6};

std::string address_text(bool foreign_network, unsigned host_number, Family family) {
    if (family == Family::v4) {
        return fmt::format("{}.{}", foreign_network ? "198.51.100" : "192.0.2", host_number);
    }
    return fmt::format("2001:db8:{}::{}", foreign_network ? "100" : "1", host_number);
}

std::string add_address(bool foreign_network, unsigned host_number, const char* interface) {
    return fmt::format("addr add {}/24 dev {}\naddr add {}/64 dev {} nodad\n",
                       address_text(foreign_network, host_number, Family::v4), interface,
                       address_text(foreign_network, host_number, Family::v6), interface);
}

std::string default_routes(bool foreign_network) {
    std::string lines;
    for (const Family family : both_families) {
        lines +=
            fmt::format("route add default via {}\n", address_text(foreign_network, host::middle, family));
    }
    return lines;
}

std::string up(const char* interface) {
    return fmt::format("link set {} up\n", interface);
}

// The bridge has an address of its own: else it would change, and neighbours be stale, with each port added.
std::string lan(const char* port, unsigned side_number) {
    return fmt::format("link add lan0 address 02:00:5e:00:53:{:02x} type bridge stp_state 0 forward_delay 0 "
                       "mcast_snooping 0\nlink set {} master lan0\n",
                       side_number, port) +
           up(port) + up("lan0");
}

std::string outside_setup(Mode mode) {
    const bool foreign = mode == Mode::router;
    std::string lines = lan(outside_port, 1);
    for (unsigned number = host::first_caller; number <= host::last_caller; ++number) {
        lines += add_address(foreign, number, "lan0");
    }
    lines += add_address(foreign, host::intruder, "lan0");
    return foreign ? lines + default_routes(true) : lines;
}

std::string inside_setup(Mode mode) {
    std::string lines = lan(inside_port, 2) + add_address(false, host::proxy, "lan0");
    for (unsigned number = host::first_phone; number <= host::last_phone; ++number) {
        lines += add_address(false, number, "lan0");
    }
    return mode == Mode::router ? lines + default_routes(false) : lines;
}

std::string middle_setup(Mode mode, Middle middle) {
    std::string ports = up(external_port) + up(internal_port);
    if (mode == Mode::router) {
        return ports + add_address(true, host::middle, external_port) +
               add_address(false, host::middle, internal_port);
    }
    if (middle == Middle::plain) {
        return ports + fmt::format("link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n"
                                   "link set {} master br0\nlink set {} master br0\nlink set br0 up\n",
                                   external_port, internal_port);
    }
    return ports;
}

Result<> forward(const Netns& netns) {
    // Redirects would tell hosts to go around the middle.
    constexpr std::array<std::pair<const char*, const char*>, 4> settings = {
        {{"ipv4/ip_forward", "1"},
         {"ipv6/conf/all/forwarding", "1"},
         {"ipv4/conf/all/send_redirects", "0"},
         {"ipv4/conf/default/send_redirects", "0"}}};
    for (const auto& [key, value] : settings) {
        if (auto set = netns.sysctl(key, value); !set) {
            return set;
        }
    }
    return {};
}

} // namespace

Result<World> World::create(const WorldOptions& options) {
    auto outside = Netns::create("outside");
    auto middle = Netns::create("middle");
    auto inside = Netns::create("inside");
    for (const auto* netns : {&outside, &middle, &inside}) {
        if (!*netns) {
            return std::unexpected(netns->error());
        }
    }
    World world(options.mode, std::move(*outside), std::move(*middle), std::move(*inside));
    if (auto wired = world.wire(options.middle); !wired) {
        return std::unexpected(wired.error());
    }
    return world;
}

Result<> World::wire(Middle middle) const {
    auto done = connect({.netns = outside_, .interface = outside_port},
                        {.netns = middle_, .interface = external_port});
    if (done) {
        done = connect({.netns = inside_, .interface = inside_port},
                       {.netns = middle_, .interface = internal_port});
    }
    if (done && mode_ == Mode::router) {
        done = forward(middle_);
    }
    if (done) {
        done = middle_.ip(middle_setup(mode_, middle));
    }
    if (done) {
        done = outside_.ip(outside_setup(mode_));
    }
    if (done) {
        done = inside_.ip(inside_setup(mode_));
    }
    if (done) {
        const bool bridged = mode_ == Mode::bridge && middle == Middle::plain;
        done = middle_.await_running(bridged ? std::vector<std::string>{external_port, internal_port, "br0"}
                                             : std::vector<std::string>{external_port, internal_port});
    }
    if (done) {
        done = outside_.await_running({outside_port, "lan0"});
    }
    return done ? inside_.await_running({inside_port, "lan0"}) : done;
}

Result<Netns> World::add_host(Side side, unsigned host_number) const {
    const bool foreign = mode_ == Mode::router && side == Side::outside;
    const Netns& lan = side == Side::outside ? outside_ : inside_;
    const std::string port = fmt::format("host{}", host_number);
    auto netns = Netns::create(fmt::format("{}-{}", lan.name(), port));
    if (!netns) {
        return netns;
    }
    auto done = connect({.netns = lan, .interface = port}, {.netns = *netns, .interface = "eth0"});
    if (done) {
        done = lan.ip(fmt::format("link set {0} master lan0\nlink set {0} up\n", port));
    }
    if (done) {
        done = netns->ip(up("eth0") + add_address(foreign, host_number, "eth0") +
                         (mode_ == Mode::router ? default_routes(foreign) : ""));
    }
    if (done) {
        done = lan.await_running({port});
    }
    if (!done) {
        return std::unexpected(done.error());
    }
    return netns;
}

Address World::outside_address(unsigned host_number, Family family) const {
    return Address::parse(address_text(mode_ == Mode::router, host_number, family)).value_or(Address());
}

Address World::inside_address(unsigned host_number, Family family) const {
    return Address::parse(address_text(false, host_number, family)).value_or(Address());
}

} // namespace stem::lab
