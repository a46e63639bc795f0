// SPDX-License-Identifier: Apache-2.0
#include "lab/netns.h"

#include "lab/enclosure.h"
#include "lab/process.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

namespace stem::lab {
namespace {

Result<UniqueFd> control_socket() {
    UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return fail_errno("open a socket for interface settings");
    }
    return socket;
}

ifreq request_for(const std::string& interface) {
    ifreq request{};
    std::copy_n(interface.begin(), std::min<std::size_t>(interface.size(), IFNAMSIZ - 1), request.ifr_name);
    return request;
}

Result<> loopback_up() {
    auto socket = control_socket();
    if (!socket) {
        return std::unexpected(socket.error());
    }
    ifreq request = request_for("lo");
    request.ifr_flags = IFF_UP;
    if (ioctl(socket->get(), SIOCSIFFLAGS, &request) != 0) {
        return fail_errno("set lo up");
    }
    return {};
}

Result<> set_feature(int socket, const std::string& interface, std::uint32_t command, bool on) {
    ethtool_value value{.cmd = command, .data = on ? 1U : 0U};
    ifreq request = request_for(interface);
    request.ifr_data = reinterpret_cast<char*>(&value);
    if (ioctl(socket, SIOCETHTOOL, &request) != 0) {
        return fail_errno(fmt::format("set ethtool feature {:#x} of {}", command, interface));
    }
    return {};
}

} // namespace

Result<Netns> Netns::create(std::string name) {
    UniqueFd fd;
    int error = 0;
    std::jthread([&] {
        if (unshare(CLONE_NEWNET) == 0) {
            fd.reset(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        }
        error = errno;
    }).join();
    if (!fd) {
        return fail_errno("make network namespace " + name, error);
    }
    Netns netns(std::move(name), std::move(fd));
    auto ready = netns.run(loopback_up);
    for (const char* scope : {"all", "default"}) {
        for (const char* setting : {"accept_dad", "accept_ra", "router_solicitations"}) {
            if (ready) {
                ready = netns.sysctl(fmt::format("ipv6/conf/{}/{}", scope, setting), "0");
            }
        }
    }
    if (!ready) {
        return std::unexpected(ready.error());
    }
    return netns;
}

Result<> Netns::run_inside(const std::function<void()>& work) const {
    int error = 0;
    std::jthread([&] {
        if (setns(fd_.get(), CLONE_NEWNET) != 0) {
            error = errno;
            return;
        }
        work();
    }).join();
    if (error != 0) {
        return fail_errno("enter network namespace " + name_, error);
    }
    return {};
}

Result<> Netns::ip(std::string_view batch) const {
    auto done = run_command(
        {.name = "ip-" + name_, .argv = {"ip", "-batch", "-"}, .netns = this, .input = std::string(batch)});
    if (!done) {
        return std::unexpected(done.error());
    }
    return {};
}

Result<> Netns::sysctl(std::string_view key, std::string_view value) const {
    return run([&]() -> Result<> {
        const std::string path = fmt::format("/proc/sys/net/{}", key);
        const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (!file || write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
            return fail_errno(fmt::format("set {} to {} in {}", path, value, name_));
        }
        return {};
    });
}

Result<> Netns::await_running(const std::vector<std::string>& interfaces) const {
    constexpr auto limit = std::chrono::seconds(20); // on a machine that does much else
    return run([&]() -> Result<> {
        auto socket = control_socket();
        if (!socket) {
            return std::unexpected(socket.error());
        }
        for (const auto& interface : interfaces) {
            const auto runs = [&] {
                ifreq request = request_for(interface);
                return ioctl(socket->get(), SIOCGIFFLAGS, &request) == 0 &&
                       (request.ifr_flags & IFF_RUNNING) != 0;
            };
            if (!eventually(runs, limit)) {
                return fail(fmt::format("wait for {} in {} to come up", interface, name_),
                            fmt::format("still down after {} s", limit.count()));
            }
        }
        return {};
    });
}

Result<> Netns::prepare_veth(const std::string& interface) const {
    return run([&]() -> Result<> {
        auto socket = control_socket();
        if (!socket) {
            return std::unexpected(socket.error());
        }
        if (auto set = set_feature(socket->get(), interface, ETHTOOL_STXCSUM, false); !set) {
            return set;
        }
        return set_feature(socket->get(), interface, ETHTOOL_SGRO, true);
    });
}

Result<> connect(const VethEnd& left, const VethEnd& right) {
    // The path form of `netns` is what names an anonymous namespace to ip(8).
    auto made = left.netns.ip(fmt::format("link add {} type veth peer name {} netns /proc/{}/fd/{}\n",
                                          left.interface, right.interface, getpid(), right.netns.fd()));
    if (made) {
        made = left.netns.prepare_veth(left.interface);
    }
    return made ? right.netns.prepare_veth(right.interface) : made;
}

} // namespace stem::lab
