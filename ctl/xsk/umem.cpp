// SPDX-License-Identifier: Apache-2.0
#include <ctl/xsk/umem.h>

#include <stem/abi/steer.h>

#include <bit>
#include <cassert>
#include <string>

namespace stem::xsk {

Result<std::unique_ptr<Umem>> Umem::create(std::uint32_t chunks, std::uint32_t ring_size) {
    const std::string attempt = "register a UMEM of " + std::to_string(chunks) + " chunks";
    if (!std::has_single_bit(ring_size) || ring_size < 64 || ring_size > 32768) {
        return fail(attempt, "a ring cannot have " + std::to_string(ring_size) + " entries",
                    "choose a power of two from 64 to 32768");
    }
    auto pool = FramePool::create(chunks);
    if (!pool) {
        return std::unexpected(pool.error());
    }
    std::unique_ptr<Umem> umem(new Umem);
    umem->pool_ = std::move(*pool);
    umem->first_rings_ = std::make_unique<ChunkRings>();
    umem->ring_size_ = ring_size;
    const xsk_umem_config config{.fill_size = ring_size,
                                 .comp_size = ring_size,
                                 .frame_size = chunk_size,
                                 .frame_headroom = 0,
                                 .flags = 0};
    const auto area = umem->pool_->area();
    const int status = xsk_umem__create(&umem->umem_, area.data(), area.size(), &umem->first_rings_->fill,
                                        &umem->first_rings_->completion, &config);
    if (status != 0) {
        umem->umem_ = nullptr;
        return fail_errno(attempt, -status,
                          "it needs CAP_NET_RAW, and CAP_IPC_LOCK or a larger memlock limit");
    }
    umem->unclaimed_rings_ = umem->first_rings_.get();
    return umem;
}

Umem::~Umem() {
    if (umem_ != nullptr) {
        [[maybe_unused]] const int status = xsk_umem__delete(umem_);
        assert(status == 0 && "a socket outlives its UMEM");
    }
}

Result<FramePool::Borrower> Umem::claim_queue(unsigned ifindex, std::uint32_t queue) {
    const std::string attempt = "open an AF_XDP socket on queue " + std::to_string(queue) + " of interface " +
                                std::to_string(ifindex);
    std::size_t slot = claims_.size();
    for (std::size_t i = 0; i < claims_.size(); ++i) {
        if (claims_[i].ifindex == ifindex && claims_[i].queue == queue) {
            return fail(attempt, "this UMEM has a socket there already", "open each queue once");
        }
        if (claims_[i].ifindex == 0 && slot == claims_.size()) {
            slot = i;
        }
    }
    if (slot == STEM_XSKS_MAX) {
        return fail(attempt, "all " + std::to_string(STEM_XSKS_MAX) + " sockets are in use",
                    "give the interfaces fewer queues: ethtool -L");
    }
    if (slot == claims_.size()) {
        claims_.emplace_back();
    }
    claims_[slot] = {ifindex, queue};
    return static_cast<FramePool::Borrower>(slot);
}

void Umem::release_queue(unsigned ifindex, std::uint32_t queue) noexcept {
    for (Claim& claim : claims_) {
        if (claim.ifindex == ifindex && claim.queue == queue) {
            claim = {};
        }
    }
}

} // namespace stem::xsk
