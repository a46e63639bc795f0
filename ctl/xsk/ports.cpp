// SPDX-License-Identifier: Apache-2.0
#include <ctl/xsk/ports.h>

#include <bpf/bpf.h>

#include <algorithm>
#include <string>
#include <thread>

namespace stem::xsk {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t fill_minimum = 64; // chunks of a queue; less cannot take a burst

Result<> check_xskmap(int fd) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd, &info, &size) != 0) {
        return fail_errno("look at the XSKMAP", errno, "attach the data plane first: stemctl attach");
    }
    if (info.type != BPF_MAP_TYPE_XSKMAP || info.max_entries < STEM_XSKS_MAX) {
        return fail(std::string("register AF_XDP sockets in map '") + info.name + "'",
                    "it is not an XSKMAP of " + std::to_string(STEM_XSKS_MAX) + " entries",
                    "attach the data plane of this version: stemctl attach");
    }
    return {};
}

// Chunks lent to each queue for receiving. A quarter of the pool stays for frames that are held or being
// sent.
Result<std::uint32_t> fill_target_of(const PortsConfig& config, std::uint32_t queues) {
    const std::uint32_t share = config.chunks / 4 * 3 / queues;
    if (share < fill_minimum) {
        return fail("share " + std::to_string(config.chunks) + " chunks among " + std::to_string(queues) +
                        " queues",
                    "each needs " + std::to_string(fill_minimum) + " for receiving",
                    "configure at least " + std::to_string(queues * fill_minimum * 2) +
                        " chunks, or give the interfaces fewer queues: ethtool -L");
    }
    return std::min(share, config.ring_size);
}

} // namespace

Result<std::unique_ptr<Ports>> Ports::open(const PortsConfig& config) {
    if (auto checked = check_xskmap(config.xskmap_fd); !checked) {
        return std::unexpected(checked.error());
    }
    const auto deadline = std::chrono::steady_clock::now() + config.busy_patience;
    Copy copy = Copy::kernel_chooses;
    for (;;) {
        auto ports = open_once(config, copy);
        if (ports) {
            return ports;
        }
        const int code = ports.error().code;
        if (code == EBUSY && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(20ms);
        } else if ((code == EOPNOTSUPP || code == EINVAL) && copy == Copy::kernel_chooses) {
            copy = Copy::always; // the first port can do without copies, the second cannot
        } else {
            return ports;
        }
    }
}

Result<std::unique_ptr<Ports>> Ports::open_once(const PortsConfig& config, Copy copy) {
    std::unique_ptr<Ports> ports(new Ports);
    ports->xskmap_fd_ = config.xskmap_fd;
    std::uint32_t queues = 0;
    for (std::size_t port = 0; port < STEM_PORTS; ++port) {
        auto interface = read_interface(config.ports[port].ifindex);
        if (!interface) {
            return std::unexpected(interface.error());
        }
        if (interface->rx_queues > STEM_QUEUES_MAX) {
            return fail("open AF_XDP sockets on " + interface->name,
                        "it has " + std::to_string(interface->rx_queues) + " rx queues, more than " +
                            std::to_string(STEM_QUEUES_MAX),
                        "ethtool -L " + interface->name + " combined " + std::to_string(STEM_QUEUES_MAX));
        }
        if (interface->is_virtual || config.ports[port].generic) {
            copy = Copy::always;
        }
        queues += interface->rx_queues;
        ports->interfaces_[port] = std::move(*interface);
    }
    const auto fill_target = fill_target_of(config, queues);
    if (!fill_target) {
        return std::unexpected(fill_target.error());
    }
    auto umem = Umem::create(config.chunks, config.ring_size);
    if (!umem) {
        return std::unexpected(umem.error());
    }
    ports->umem_ = std::move(*umem);
    for (std::size_t port = 0; port < STEM_PORTS; ++port) {
        const Interface& interface = ports->interfaces_[port];
        for (std::uint32_t queue = 0; queue < interface.rx_queues; ++queue) {
            auto socket = Socket::open(*ports->umem_, {.interface = interface,
                                                       .port = static_cast<stem_port>(port),
                                                       .queue = queue,
                                                       .fill_target = *fill_target,
                                                       .copy = copy});
            if (!socket) {
                return std::unexpected(socket.error());
            }
            // A socket sends on the tx queue of its own number, which need not exist for each rx queue.
            if (queue < std::max(interface.tx_queues, 1U)) {
                ports->senders_[port].push_back(socket->get());
            }
            ports->sockets_.push_back(std::move(*socket));
        }
    }
    if (auto registered = ports->register_sockets(); !registered) {
        return std::unexpected(registered.error());
    }
    return ports;
}

Result<> Ports::register_sockets() {
    registered_.reserve(sockets_.size());
    for (const auto& socket : sockets_) {
        const std::uint32_t index =
            static_cast<std::uint32_t>(socket->port()) * STEM_QUEUES_MAX + socket->queue();
        const int fd = socket->fd();
        if (bpf_map_update_elem(xskmap_fd_, &index, &fd, BPF_ANY) != 0) {
            return fail_errno("register the socket of queue " + std::to_string(socket->queue()) + " of " +
                                  interfaces_[socket->port()].name + " in the XSKMAP",
                              errno, "run with CAP_BPF");
        }
        registered_.push_back(index);
    }
    return {};
}

Ports::~Ports() {
    detach();
    drain(100ms);
    // In reverse: the first socket's descriptor is also the UMEM's.
    while (!sockets_.empty()) {
        sockets_.pop_back();
    }
}

std::vector<int> Ports::descriptors() const {
    std::vector<int> all;
    all.reserve(sockets_.size());
    for (const auto& socket : sockets_) {
        all.push_back(socket->fd());
    }
    return all;
}

bool Ports::send(Frame&& frame, stem_port port) noexcept {
    const auto& senders = senders_[port];
    return senders[frame.queue() % senders.size()]->send(std::move(frame));
}

void Ports::flush() noexcept {
    // First all completions, then all refills: what one port sent, the other receives into.
    for (const auto& socket : sockets_) {
        socket->flush();
    }
    for (const auto& socket : sockets_) {
        socket->refill();
    }
}

void Ports::detach() noexcept {
    for (const std::uint32_t index : registered_) {
        bpf_map_delete_elem(xskmap_fd_, &index);
    }
    registered_.clear();
}

bool Ports::drain(std::chrono::milliseconds patience) noexcept {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    const auto idle = [this] {
        return std::ranges::all_of(sockets_, [](const auto& socket) { return socket->sending() == 0; });
    };
    for (;;) {
        flush();
        if (idle()) {
            return true;
        }
        if (std::chrono::steady_clock::now() >= deadline) {
            return false;
        }
        std::this_thread::sleep_for(1ms);
    }
}

bool Ports::zero_copy() const noexcept {
    return std::ranges::all_of(sockets_, [](const auto& socket) { return socket->zero_copy(); });
}

SocketStatistics Ports::statistics(stem_port port) const noexcept {
    SocketStatistics sum;
    for (const auto& socket : sockets_) {
        if (socket->port() == port) {
            sum += socket->statistics();
        }
    }
    return sum;
}

Census Ports::census() const noexcept {
    const FramePool& pool = umem_->pool();
    Census census{.free = pool.free(), .held = pool.held(), .total = pool.total()};
    for (const auto& socket : sockets_) {
        census.filling += socket->filling();
        census.sending += socket->sending();
    }
    return census;
}

} // namespace stem::xsk
