// SPDX-License-Identifier: Apache-2.0
// A frame pool registered with the kernel as the UMEM of one or more sockets.
#pragma once

#include <ctl/xsk/frame_pool.h>
#include <stem/error.h>

#include <xdp/xsk.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace stem::xsk {

// The rings by which chunks go to the kernel and come back; one pair for each socket.
struct ChunkRings {
    xsk_ring_prod fill{};
    xsk_ring_cons completion{};
};

class Umem {
  public:
    // `ring_size`: entries of each ring, a power of two. Needs CAP_NET_RAW, and CAP_IPC_LOCK or a memlock
    // limit that holds the area.
    static Result<std::unique_ptr<Umem>> create(std::uint32_t chunks, std::uint32_t ring_size);
    // Sockets must be gone by now.
    ~Umem();
    Umem(const Umem&) = delete;
    Umem& operator=(const Umem&) = delete;

    [[nodiscard]] FramePool& pool() noexcept { return *pool_; }
    [[nodiscard]] const FramePool& pool() const noexcept { return *pool_; }
    [[nodiscard]] xsk_umem* handle() noexcept { return umem_; }
    [[nodiscard]] std::uint32_t ring_size() const noexcept { return ring_size_; }

    // For Socket. Two sockets of one UMEM may share a queue and its fill ring as far as the kernel is
    // concerned; ours do not, so a queue can be claimed once. Gives the number that the pool knows the socket
    // by.
    Result<FramePool::Borrower> claim_queue(unsigned ifindex, std::uint32_t queue);
    void release_queue(unsigned ifindex, std::uint32_t queue) noexcept;
    // libxdp makes the first socket's rings together with the UMEM, and needs them where they were put for as
    // long as the UMEM lives.
    [[nodiscard]] ChunkRings* claim_first_rings() noexcept {
        return std::exchange(unclaimed_rings_, nullptr);
    }

  private:
    struct Claim {
        unsigned ifindex = 0; // 0: free
        std::uint32_t queue = 0;
    };
    Umem() = default;

    std::unique_ptr<FramePool> pool_;
    std::unique_ptr<ChunkRings> first_rings_;
    ChunkRings* unclaimed_rings_ = nullptr;
    xsk_umem* umem_ = nullptr;
    std::uint32_t ring_size_ = 0;
    std::vector<Claim> claims_;
};

} // namespace stem::xsk
