// SPDX-License-Identifier: Apache-2.0
// One AF_XDP socket: one queue of one interface, with its own four rings.
#pragma once

#include <ctl/xsk/queues.h>
#include <ctl/xsk/umem.h>
#include <stem/abi/steer.h>
#include <stem/error.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace stem::xsk {

// A frame that came in.
struct Received {
    Frame frame;
    stem_port port = STEM_PORT_EXTERNAL;  // by which it came in
    std::optional<stem_steer_meta> steer; // what the data plane said of it, if it did
};

// Takes the data plane's metadata from in front of the packet. It is gone from the chunk afterwards, so that
// a later packet without metadata cannot inherit it.
std::optional<stem_steer_meta> take_steer_meta(Frame& frame) noexcept;

enum class Copy : std::uint8_t {
    kernel_chooses, // zero-copy where the driver can
    always,         // virtual interfaces and generic XDP
};

struct SocketConfig {
    Interface interface;
    stem_port port = STEM_PORT_EXTERNAL;
    std::uint32_t queue = 0;
    std::uint32_t fill_target = 0; // chunks kept lent for receiving; at most the ring's size
    // A UMEM's first socket decides for all of them: the kernel takes no flags from the others.
    Copy copy = Copy::kernel_chooses;
};

struct SocketStatistics {
    std::uint64_t received = 0;
    std::uint64_t sent = 0;         // given to the TX ring
    std::uint64_t completed = 0;    // and come back
    std::uint64_t send_refused = 0; // frames that the full TX ring did not take
    std::uint64_t send_errors = 0;  // TX kicks that failed, as on a link that is down
    // The kernel's own, XDP_STATISTICS; 0 where it did not answer.
    std::uint64_t rx_dropped = 0;
    std::uint64_t rx_invalid = 0;
    std::uint64_t tx_invalid = 0;
    std::uint64_t rx_ring_full = 0;
    std::uint64_t fill_ring_empty = 0;
    std::uint64_t tx_ring_empty = 0;

    SocketStatistics& operator+=(const SocketStatistics& other) noexcept;
};

class Socket {
  public:
    // EBUSY (Error::code) when another process, or another UMEM, has the queue.
    static Result<std::unique_ptr<Socket>> open(Umem& umem, const SocketConfig& config);
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    // Readable when there are frames to receive. Stays this socket's: do not close it.
    [[nodiscard]] int fd() const noexcept { return xsk_socket__fd(socket_); }
    [[nodiscard]] stem_port port() const noexcept { return config_.port; }
    [[nodiscard]] std::uint32_t queue() const noexcept { return config_.queue; }
    [[nodiscard]] bool zero_copy() const noexcept;

    // Moves at most `into.size()` frames into the front of `into`; returns how many. Refills as it goes.
    std::size_t receive(std::span<Received> into) noexcept;
    // Queues the frame. False when the TX ring is full: the frame is still the caller's.
    [[nodiscard]] bool send(Frame&& frame) noexcept;
    // Has the kernel send what is queued, takes completed chunks back, refills. Call it at the end of each
    // turn of the loop, and now and then while idle.
    void flush() noexcept;
    // Takes completed chunks back to the pool.
    void reclaim() noexcept;
    // Lends chunks for receiving until the target is met or the pool is empty.
    void refill() noexcept;

    [[nodiscard]] std::uint32_t filling() const noexcept { return filling_; }
    [[nodiscard]] std::uint32_t sending() const noexcept { return sending_; }
    [[nodiscard]] SocketStatistics statistics() const noexcept;

  private:
    Socket(Umem& umem, const SocketConfig& config) : umem_(umem), config_(config) {}
    [[nodiscard]] std::uint32_t unsent() const noexcept; // descriptors that the kernel has not taken yet

    Umem& umem_;
    SocketConfig config_;
    FramePool::Borrower borrower_ = 0;
    bool claimed_ = false;
    std::unique_ptr<ChunkRings> own_rings_; // unless the Umem's first
    ChunkRings* rings_ = nullptr;
    xsk_ring_cons rx_{};
    xsk_ring_prod tx_{};
    xsk_socket* socket_ = nullptr;
    std::uint32_t filling_ = 0;
    std::uint32_t sending_ = 0;
    SocketStatistics counted_;
};

} // namespace stem::xsk
