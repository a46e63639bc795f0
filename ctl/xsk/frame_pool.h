// SPDX-License-Identifier: Apache-2.0
// The memory of a UMEM and the account of who has each chunk. Needs no privilege; ctl/xsk/frame.h has the
// rules.
#pragma once

#include <ctl/xsk/frame.h>
#include <stem/error.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace stem::xsk {

inline constexpr std::uint32_t chunk_size = 4096;
inline constexpr std::uint32_t default_chunks = 8192; // 32 MiB
// XDP_PACKET_HEADROOM: where the kernel puts a packet in its chunk, and where we do with frames of our own.
inline constexpr std::uint32_t packet_headroom = 256;
inline constexpr std::uint32_t frame_capacity = chunk_size - packet_headroom;

// Where the chunks are. The sum is the invariant that tests check.
struct Census {
    std::uint32_t free = 0;
    std::uint32_t held = 0;
    std::uint32_t filling = 0;
    std::uint32_t sending = 0;
    std::uint32_t total = 0;

    [[nodiscard]] bool whole() const noexcept { return free + held + filling + sending == total; }
};

class FramePool {
  public:
    // What a chunk may be lent to the kernel for.
    enum class Loan : std::uint8_t { filling, sending };
    // Which socket has it: a number that its Umem gave out.
    using Borrower = std::uint8_t;

    static Result<std::unique_ptr<FramePool>> create(std::uint32_t chunks = default_chunks);
    ~FramePool();
    FramePool(const FramePool&) = delete;
    FramePool& operator=(const FramePool&) = delete;

    // A frame of our own, of length 0; empty when no chunk is free.
    [[nodiscard]] Frame allocate() noexcept;

    [[nodiscard]] std::uint32_t total() const noexcept { return static_cast<std::uint32_t>(marks_.size()); }
    [[nodiscard]] std::uint32_t free() const noexcept { return static_cast<std::uint32_t>(free_.size()); }
    [[nodiscard]] std::uint32_t held() const noexcept { return held_; }
    [[nodiscard]] std::span<std::uint8_t> area() const noexcept { return area_; }
    // Chunks that came back from a place where they were not. Always 0; a debug build aborts instead.
    [[nodiscard]] std::uint64_t faults() const noexcept { return faults_; }

    // For sockets: the four crossings between user space and kernel. Addresses are UMEM addresses.
    // A free chunk for a fill ring; nothing when none is free.
    [[nodiscard]] std::optional<std::uint64_t> lend_free(Borrower borrower) noexcept;
    // Where the packet of `frame` is, for a TX ring. The Frame is empty afterwards.
    [[nodiscard]] std::uint64_t lend_frame(Frame&& frame, Borrower borrower) noexcept;
    // A packet out of an RX ring; an empty Frame when that chunk was not lent to `borrower` for filling.
    [[nodiscard]] Frame receive(std::uint64_t address, std::uint32_t length, Borrower borrower,
                                std::uint16_t queue) noexcept;
    // A completed chunk back to the free list; false when it was not lent to `borrower` for sending.
    bool complete(std::uint64_t address, Borrower borrower) noexcept;
    // All that `borrower` has, once the kernel cannot touch it any more; returns how many.
    std::uint32_t recover(Borrower borrower) noexcept;

  private:
    friend class Frame;
    enum class Place : std::uint8_t { free, held, filling, sending };
    struct Mark {
        Place place = Place::free;
        Borrower borrower = 0;
    };

    FramePool(std::span<std::uint8_t> area, std::uint32_t chunks);
    void give_back(std::uint32_t chunk) noexcept; // by a Frame
    // The chunk of `address`, when it is where the caller says.
    std::optional<std::uint32_t> claim(std::uint64_t address, Place place, Borrower borrower) noexcept;
    void fault(const char* what, std::uint64_t address) noexcept;

    std::span<std::uint8_t> area_;
    std::vector<std::uint32_t> free_; // capacity for all chunks: push_back never allocates
    std::vector<Mark> marks_;
    std::uint32_t held_ = 0;
    std::uint64_t faults_ = 0;
};

inline std::span<std::uint8_t> Frame::buffer() const noexcept {
    return pool_ == nullptr
               ? std::span<std::uint8_t>{}
               : pool_->area_.subspan(std::size_t{chunk_} * chunk_size + offset_, chunk_size - offset_);
}

inline std::span<std::uint8_t> Frame::headroom() const noexcept {
    return pool_ == nullptr ? std::span<std::uint8_t>{}
                            : pool_->area_.subspan(std::size_t{chunk_} * chunk_size, offset_);
}

inline bool Frame::resize(std::size_t length) noexcept {
    if (length > buffer().size()) {
        return false;
    }
    length_ = static_cast<std::uint16_t>(length);
    return true;
}

inline void Frame::drop() noexcept {
    if (FramePool* pool = std::exchange(pool_, nullptr); pool != nullptr) {
        pool->give_back(chunk_);
    }
}

} // namespace stem::xsk
