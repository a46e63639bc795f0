// SPDX-License-Identifier: Apache-2.0
#include "lab/bad_wire.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <random>
#include <utility>
#include <vector>

namespace stem::lab {
namespace {

constexpr int patience_ms = 3; // a frame that was put back waits no longer for another

Result<UniqueFd> open_packet_socket(const std::string& interface) {
    UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
    if (!fd) {
        return fail_errno("open a packet socket");
    }
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return fail_errno("bind a packet socket to " + interface);
    }
    const int on = 1; // what we send ourselves must not come back
    if (::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0) {
        return fail_errno("have a packet socket ignore what leaves");
    }
    return fd;
}

} // namespace

struct BadWire::State {
    std::array<UniqueFd, 2> end;
    WireQuality quality;
    std::mt19937 random;
    std::array<std::vector<std::vector<char>>, 2> late; // by the end that they leave by
    std::atomic<std::uint64_t> lost = 0;

    bool happens(unsigned percent) { return random() % 100 < percent; }
    void send(std::size_t by, const std::vector<char>& frame) const {
        (void)::send(end[by].get(), frame.data(), frame.size(), 0);
    }
    void release(std::size_t by) {
        for (const auto& frame : std::exchange(late[by], {})) {
            send(by, frame);
        }
    }
    void carry(std::size_t from) {
        const std::size_t by = 1 - from;
        std::array<char, 65536> octets{};
        for (;;) {
            const ssize_t count = ::recv(end[from].get(), octets.data(), octets.size(), 0);
            if (count <= 0) {
                return;
            }
            std::vector<char> frame(octets.begin(), octets.begin() + count);
            if (happens(quality.lost_percent)) {
                lost++;
                continue;
            }
            if (happens(quality.swapped_percent)) {
                late[by].push_back(std::move(frame));
                continue;
            }
            send(by, frame);
            if (happens(quality.repeated_percent)) {
                send(by, frame);
            }
            release(by);
        }
    }
};

Result<BadWire> BadWire::start(const Netns& netns, const std::string& left, const std::string& right,
                               const WireQuality& quality) {
    auto state = std::make_shared<State>();
    state->quality = quality;
    state->random.seed(quality.seed);
    const auto opened = netns.run([&]() -> Result<> {
        for (std::size_t i = 0; const auto& name : {left, right}) {
            auto socket = open_packet_socket(name);
            if (!socket) {
                return std::unexpected(socket.error());
            }
            state->end[i++] = std::move(*socket);
        }
        return {};
    });
    if (!opened) {
        return std::unexpected(opened.error());
    }
    std::jthread worker([state](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::array<pollfd, 2> sources{pollfd{.fd = state->end[0].get(), .events = POLLIN, .revents = 0},
                                          pollfd{.fd = state->end[1].get(), .events = POLLIN, .revents = 0}};
            if (::poll(sources.data(), sources.size(), patience_ms) == 0) {
                state->release(0);
                state->release(1);
            }
            state->carry(0);
            state->carry(1);
        }
    });
    return BadWire(std::move(state), std::move(worker));
}

std::uint64_t BadWire::lost() const noexcept {
    return state_->lost.load();
}

} // namespace stem::lab
