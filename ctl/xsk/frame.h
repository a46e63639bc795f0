// SPDX-License-Identifier: Apache-2.0
// The handle of one frame.
//
// Who owns what. The UMEM is one area of chunks, shared with the kernel; a chunk is always in exactly one of
// four places:
//
//     free     in the FramePool's list, nobody's
//     held     in user space, owned by exactly one Frame
//     filling  lent to the kernel to receive into: in a fill ring, in the driver, or in an RX ring unread
//     sending  lent to the kernel to send from: in a TX ring, in the driver, or in a completion ring unread
//
//     free ──refill──► filling ──receive──► held ──send──► sending ──reclaim──► free
//       └───────────────allocate───────────► │
//     free ◄────────────~Frame───────────────┘
//
// A Frame is the only way to touch a chunk that is held. It can be moved and not copied: sending takes it
// away, letting it go returns the chunk. So a frame is never lost, never used after it was sent and never
// sent twice; and free + held + filling + sending is always the number of chunks (Census in
// ctl/xsk/frame_pool.h).
//
// Each ring has one producer and one consumer: a socket owns its four rings, and the pool, its frames and all
// sockets of it belong to one thread. Frames must be gone before their pool is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace stem::xsk {

class FramePool;

class Frame {
  public:
    Frame() noexcept = default; // empty: owns nothing
    ~Frame() { drop(); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    Frame(Frame&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), chunk_(other.chunk_), offset_(other.offset_),
          length_(other.length_), queue_(other.queue_) {}
    Frame& operator=(Frame&& other) noexcept {
        if (this != &other) {
            drop();
            pool_ = std::exchange(other.pool_, nullptr);
            chunk_ = other.chunk_;
            offset_ = other.offset_;
            length_ = other.length_;
            queue_ = other.queue_;
        }
        return *this;
    }

    explicit operator bool() const noexcept { return pool_ != nullptr; }

    // The packet, from its first octet (the Ethernet header). Empty for an empty Frame.
    [[nodiscard]] std::span<std::uint8_t> bytes() noexcept { return buffer().first(length_or_zero()); }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept {
        return buffer().first(length_or_zero());
    }
    // All that the packet may grow into: from its first octet to the end of the chunk.
    [[nodiscard]] std::span<std::uint8_t> buffer() const noexcept;
    // Octets of headroom in front of the packet, which hold the data plane's metadata on arrival.
    [[nodiscard]] std::span<std::uint8_t> headroom() const noexcept;
    // False, and nothing changed, when `length` is more than buffer() holds.
    [[nodiscard]] bool resize(std::size_t length) noexcept;
    // The rx queue that it came in by; 0 for a frame of our own.
    [[nodiscard]] std::uint16_t queue() const noexcept { return queue_; }
    // Returns the chunk to the pool now; the Frame is empty afterwards.
    void drop() noexcept;

  private:
    friend class FramePool;
    Frame(FramePool& pool, std::uint32_t chunk, std::uint16_t offset, std::uint16_t length,
          std::uint16_t queue) noexcept
        : pool_(&pool), chunk_(chunk), offset_(offset), length_(length), queue_(queue) {}

    [[nodiscard]] std::size_t length_or_zero() const noexcept { return pool_ == nullptr ? 0 : length_; }

    FramePool* pool_ = nullptr;
    std::uint32_t chunk_ = 0;
    std::uint16_t offset_ = 0; // of the packet in its chunk
    std::uint16_t length_ = 0;
    std::uint16_t queue_ = 0;
};

} // namespace stem::xsk
