// SPDX-License-Identifier: Apache-2.0
#include <ctl/xsk/socket.h>

#include <linux/if_xdp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace stem::xsk {
namespace {

std::string remedy_for(int code) {
    switch (code) {
    case EBUSY:
        return "another stemd or AF_XDP program has this queue; stop it first";
    case EPERM:
    case EACCES:
        return "run with CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF";
    case EOPNOTSUPP:
    case EINVAL:
        return "the driver cannot serve AF_XDP there; attach with --xdp generic";
    case ENETDOWN:
        return "bring the interface up";
    default:
        return {};
    }
}

} // namespace

std::optional<stem_steer_meta> take_steer_meta(Frame& frame) noexcept {
    const auto headroom = frame.headroom();
    stem_steer_meta meta{};
    if (headroom.size() < sizeof(meta)) {
        return std::nullopt;
    }
    std::uint8_t* place = headroom.data() + headroom.size() - sizeof(meta);
    std::memcpy(&meta, place, sizeof(meta));
    std::memset(place, 0, sizeof(meta));
    return meta.magic == STEM_STEER_MAGIC ? std::optional(meta) : std::nullopt;
}

SocketStatistics& SocketStatistics::operator+=(const SocketStatistics& other) noexcept {
    received += other.received;
    sent += other.sent;
    completed += other.completed;
    send_refused += other.send_refused;
    send_errors += other.send_errors;
    rx_dropped += other.rx_dropped;
    rx_invalid += other.rx_invalid;
    tx_invalid += other.tx_invalid;
    rx_ring_full += other.rx_ring_full;
    fill_ring_empty += other.fill_ring_empty;
    tx_ring_empty += other.tx_ring_empty;
    return *this;
}

Result<std::unique_ptr<Socket>> Socket::open(Umem& umem, const SocketConfig& config) {
    std::unique_ptr<Socket> socket(new Socket(umem, config));
    auto borrower = umem.claim_queue(config.interface.index, config.queue);
    if (!borrower) {
        return std::unexpected(borrower.error());
    }
    socket->borrower_ = *borrower;
    socket->claimed_ = true;
    socket->config_.fill_target = std::min(config.fill_target, umem.ring_size());
    socket->rings_ = umem.claim_first_rings();
    if (socket->rings_ == nullptr) {
        socket->own_rings_ = std::make_unique<ChunkRings>();
        socket->rings_ = socket->own_rings_.get();
    }
    xsk_socket_config libxdp_config{};
    libxdp_config.rx_size = umem.ring_size();
    libxdp_config.tx_size = umem.ring_size();
    libxdp_config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD; // the program is stemctl's
    libxdp_config.bind_flags = XDP_USE_NEED_WAKEUP;
    if (config.copy == Copy::always) {
        libxdp_config.bind_flags |= XDP_COPY;
    }
    const int status = xsk_socket__create_shared(
        &socket->socket_, config.interface.name.c_str(), config.queue, umem.handle(), &socket->rx_,
        &socket->tx_, &socket->rings_->fill, &socket->rings_->completion, &libxdp_config);
    if (status != 0) {
        socket->socket_ = nullptr;
        return fail_errno("open an AF_XDP socket on queue " + std::to_string(config.queue) + " of " +
                              config.interface.name,
                          -status, remedy_for(-status));
    }
    socket->refill();
    return socket;
}

Socket::~Socket() {
    if (socket_ != nullptr) {
        xsk_socket__delete(socket_);
        umem_.pool().recover(borrower_);
    }
    if (claimed_) {
        umem_.release_queue(config_.interface.index, config_.queue);
    }
}

bool Socket::zero_copy() const noexcept {
    xdp_options options{};
    socklen_t size = sizeof(options);
    return ::getsockopt(fd(), SOL_XDP, XDP_OPTIONS, &options, &size) == 0 &&
           (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
}

std::size_t Socket::receive(std::span<Received> into) noexcept {
    std::uint32_t index = 0;
    const std::uint32_t available =
        xsk_ring_cons__peek(&rx_, static_cast<std::uint32_t>(into.size()), &index);
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < available; ++i) {
        const xdp_desc* descriptor = xsk_ring_cons__rx_desc(&rx_, index + i);
        Frame frame = umem_.pool().receive(descriptor->addr, descriptor->len, borrower_,
                                           static_cast<std::uint16_t>(config_.queue));
        if (frame) {
            into[count].steer = take_steer_meta(frame);
            into[count].port = config_.port;
            into[count].frame = std::move(frame);
            ++count;
        }
    }
    if (available > 0) {
        xsk_ring_cons__release(&rx_, available);
        filling_ -= available;
        counted_.received += count;
        refill();
    }
    return count;
}

bool Socket::send(Frame&& frame) noexcept {
    if (!frame) {
        return false;
    }
    std::uint32_t index = 0;
    if (xsk_ring_prod__reserve(&tx_, 1, &index) != 1) {
        flush();
        if (xsk_ring_prod__reserve(&tx_, 1, &index) != 1) {
            ++counted_.send_refused;
            return false;
        }
    }
    xdp_desc* descriptor = xsk_ring_prod__tx_desc(&tx_, index);
    descriptor->len = static_cast<std::uint32_t>(frame.bytes().size());
    descriptor->options = 0;
    descriptor->addr = umem_.pool().lend_frame(std::move(frame), borrower_);
    xsk_ring_prod__submit(&tx_, 1);
    ++sending_;
    ++counted_.sent;
    return true;
}

std::uint32_t Socket::unsent() const noexcept {
    return __atomic_load_n(tx_.producer, __ATOMIC_RELAXED) - __atomic_load_n(tx_.consumer, __ATOMIC_ACQUIRE);
}

void Socket::flush() noexcept {
    // In copy mode one sendto() takes at most a small batch (32 frames) and says EAGAIN while there is more;
    // go on for as long as that gets anywhere. A driver in zero-copy mode is woken by one.
    std::uint32_t before = unsent();
    while (before > 0 && xsk_ring_prod__needs_wakeup(&tx_) != 0) {
        if (::sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) {
            break;
        }
        if (errno != EAGAIN && errno != EBUSY && errno != ENOBUFS) {
            ++counted_.send_errors;
            break;
        }
        reclaim(); // a full completion ring holds the sender up
        const std::uint32_t after = unsent();
        if (after == before) {
            break;
        }
        before = after;
    }
    reclaim();
    refill();
    // A driver that found the fill ring empty sleeps until it is told that it no longer is.
    if (xsk_ring_prod__needs_wakeup(&rings_->fill) != 0) {
        ::recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
    }
}

void Socket::reclaim() noexcept {
    std::uint32_t index = 0;
    while (const std::uint32_t count = xsk_ring_cons__peek(&rings_->completion, umem_.ring_size(), &index)) {
        for (std::uint32_t i = 0; i < count; ++i) {
            umem_.pool().complete(*xsk_ring_cons__comp_addr(&rings_->completion, index + i), borrower_);
        }
        xsk_ring_cons__release(&rings_->completion, count);
        sending_ -= count;
        counted_.completed += count;
    }
}

void Socket::refill() noexcept {
    if (filling_ >= config_.fill_target) {
        return;
    }
    std::uint32_t wanted = std::min(config_.fill_target - filling_, umem_.pool().free());
    wanted = std::min(wanted, xsk_prod_nb_free(&rings_->fill, wanted));
    std::uint32_t index = 0;
    if (wanted == 0 || xsk_ring_prod__reserve(&rings_->fill, wanted, &index) != wanted) {
        return;
    }
    for (std::uint32_t i = 0; i < wanted; ++i) {
        *xsk_ring_prod__fill_addr(&rings_->fill, index + i) = umem_.pool().lend_free(borrower_).value_or(0);
    }
    xsk_ring_prod__submit(&rings_->fill, wanted);
    filling_ += wanted;
}

SocketStatistics Socket::statistics() const noexcept {
    SocketStatistics all = counted_;
    xdp_statistics kernel{};
    socklen_t size = sizeof(kernel);
    if (::getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &kernel, &size) == 0) {
        all.rx_dropped = kernel.rx_dropped;
        all.rx_invalid = kernel.rx_invalid_descs;
        all.tx_invalid = kernel.tx_invalid_descs;
        all.rx_ring_full = kernel.rx_ring_full;
        all.fill_ring_empty = kernel.rx_fill_ring_empty_descs;
        all.tx_ring_empty = kernel.tx_ring_empty_descs;
    }
    return all;
}

} // namespace stem::xsk
