// SPDX-License-Identifier: Apache-2.0
// AF_XDP on both ports of the middlebox: a socket on every queue, all over one UMEM, so that a frame that
// came in by one port leaves by the other without a copy in user space.
//
// The event loop waits for any of descriptors() to become readable, then calls receive() until it gives 0,
// and flush() at the end of each turn; flush() also from a timer (100 ms), since chunks that were held come
// back to the rings only there. All on one thread.
#pragma once

#include <ctl/xsk/socket.h>
#include <ctl/xsk/umem.h>
#include <stem/abi/steer.h>
#include <stem/error.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

namespace stem::xsk {

struct PortConfig {
    unsigned ifindex = 0;
    bool generic = false; // the program runs in generic XDP (enum stem_xdp_mode)
};

struct PortsConfig {
    std::array<PortConfig, STEM_PORTS> ports;
    int xskmap_fd = -1; // the pinned map of the data plane; stays the caller's and must outlive the Ports
    std::uint32_t chunks = default_chunks;
    std::uint32_t ring_size = 2048;
    // How long to wait for a queue that a stemd which just ended still has: the kernel lets go of it a little
    // after the process is gone.
    std::chrono::milliseconds busy_patience{1000};
};

class Ports {
  public:
    // At most this many frames of one socket are handled before the next has its turn.
    static constexpr std::size_t burst = 64;

    static Result<std::unique_ptr<Ports>> open(const PortsConfig& config);
    // Out of the XSKMAP, then what is queued leaves (drain, 100 ms), then the sockets go, then the UMEM.
    // Frames must be gone by then.
    ~Ports();
    Ports(const Ports&) = delete;
    Ports& operator=(const Ports&) = delete;

    // To be polled for reading; they stay ours.
    [[nodiscard]] std::vector<int> descriptors() const;

    // Gives each socket one turn: `handle(std::span<Received>)`, noexcept, with up to `burst` frames. What it
    // does not move out of the span is dropped. Returns the number of frames; 0 means that nothing is
    // waiting.
    template<typename Handler>
    std::size_t receive(Handler&& handle) noexcept {
        static_assert(std::is_nothrow_invocable_v<Handler&, std::span<Received>>);
        std::size_t total = 0;
        for (const auto& socket : sockets_) {
            std::array<Received, burst> batch;
            const std::size_t count = socket->receive(batch);
            if (count > 0) {
                handle(std::span(batch).first(count));
                total += count;
            }
        }
        return total;
    }

    // Queues the frame on `port`, on the queue that it came in by as far as the port has that many, so that
    // the order within a flow stays. False when the TX ring is full: the frame is still the caller's.
    [[nodiscard]] bool send(Frame&& frame, stem_port port) noexcept;
    // Has the kernel send what is queued, takes back what was sent, refills.
    void flush() noexcept;
    // A frame of our own, for send(); empty when the pool is.
    [[nodiscard]] Frame allocate() noexcept { return umem_->pool().allocate(); }

    // Takes the sockets out of the XSKMAP: the data plane steers nothing here from now on and falls back.
    // What is in the RX rings can still be received.
    void detach() noexcept;
    // Flushes until all that was queued has left; false when `patience` is over first.
    bool drain(std::chrono::milliseconds patience) noexcept;

    [[nodiscard]] const Interface& interface(stem_port port) const noexcept { return interfaces_[port]; }
    [[nodiscard]] bool zero_copy() const noexcept;
    [[nodiscard]] SocketStatistics statistics(stem_port port) const noexcept;
    // As the sockets count their rings and the pool its chunks; whole() unless a frame was lost or doubled.
    [[nodiscard]] Census census() const noexcept;

  private:
    Ports() = default;
    static Result<std::unique_ptr<Ports>> open_once(const PortsConfig& config, Copy copy);
    Result<> register_sockets();

    std::unique_ptr<Umem> umem_; // first, so that it goes last
    std::array<Interface, STEM_PORTS> interfaces_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::array<std::vector<Socket*>, STEM_PORTS> senders_; // by queue
    std::vector<std::uint32_t> registered_;                // XSKMAP indices
    int xskmap_fd_ = -1;
};

} // namespace stem::xsk
