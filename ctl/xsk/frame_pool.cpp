// SPDX-License-Identifier: Apache-2.0
#include <ctl/xsk/frame_pool.h>

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace stem::xsk {

namespace {

constexpr std::uint32_t chunks_max = 1U << 20U; // 4 GiB

} // namespace

Result<std::unique_ptr<FramePool>> FramePool::create(std::uint32_t chunks) {
    const std::string attempt = "make a frame pool of " + std::to_string(chunks) + " chunks";
    if (chunks == 0 || chunks > chunks_max) {
        return fail(attempt, "the number is out of range", "choose 1 to " + std::to_string(chunks_max));
    }
    const std::size_t size = std::size_t{chunks} * chunk_size;
    // Populated now, so that no page fault and no shortage of memory comes with the first flood.
    void* area =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (area == MAP_FAILED) {
        return fail_errno(attempt, errno, "choose fewer chunks, or give the machine more memory");
    }
    return std::unique_ptr<FramePool>(new FramePool({static_cast<std::uint8_t*>(area), size}, chunks));
}

FramePool::FramePool(std::span<std::uint8_t> area, std::uint32_t chunks) : area_(area), marks_(chunks) {
    free_.reserve(chunks);
    for (std::uint32_t chunk = chunks; chunk-- > 0;) {
        free_.push_back(chunk);
    }
}

FramePool::~FramePool() {
    if (held_ != 0) {
        fault("a frame outlives its pool", 0);
        return; // the late frame must not point at memory that has become somebody else's
    }
    ::munmap(area_.data(), area_.size());
}

Frame FramePool::allocate() noexcept {
    if (free_.empty()) {
        return {};
    }
    const std::uint32_t chunk = free_.back();
    free_.pop_back();
    marks_[chunk].place = Place::held;
    ++held_;
    return {*this, chunk, static_cast<std::uint16_t>(packet_headroom), 0, 0};
}

void FramePool::give_back(std::uint32_t chunk) noexcept {
    if (marks_[chunk].place != Place::held) {
        fault("a frame was let go that nobody held", std::uint64_t{chunk} * chunk_size);
        return;
    }
    marks_[chunk].place = Place::free;
    --held_;
    free_.push_back(chunk);
}

std::optional<std::uint64_t> FramePool::lend_free(Borrower borrower) noexcept {
    if (free_.empty()) {
        return std::nullopt;
    }
    const std::uint32_t chunk = free_.back();
    free_.pop_back();
    marks_[chunk] = {Place::filling, borrower};
    return std::uint64_t{chunk} * chunk_size;
}

std::uint64_t FramePool::lend_frame(Frame&& frame, Borrower borrower) noexcept {
    frame.pool_ = nullptr;
    marks_[frame.chunk_] = {Place::sending, borrower};
    --held_;
    return std::uint64_t{frame.chunk_} * chunk_size + frame.offset_;
}

Frame FramePool::receive(std::uint64_t address, std::uint32_t length, Borrower borrower,
                         std::uint16_t queue) noexcept {
    const auto chunk = claim(address, Place::filling, borrower);
    if (!chunk) {
        return {};
    }
    const std::uint64_t offset = address % chunk_size;
    if (length > chunk_size - offset) {
        fault("a packet runs over the end of its chunk", address);
        return {};
    }
    marks_[*chunk].place = Place::held;
    ++held_;
    return {*this, *chunk, static_cast<std::uint16_t>(offset), static_cast<std::uint16_t>(length), queue};
}

bool FramePool::complete(std::uint64_t address, Borrower borrower) noexcept {
    const auto chunk = claim(address, Place::sending, borrower);
    if (!chunk) {
        return false;
    }
    marks_[*chunk].place = Place::free;
    free_.push_back(*chunk);
    return true;
}

std::uint32_t FramePool::recover(Borrower borrower) noexcept {
    std::uint32_t recovered = 0;
    for (std::uint32_t chunk = 0; chunk < total(); ++chunk) {
        Mark& mark = marks_[chunk];
        if (mark.borrower == borrower && (mark.place == Place::filling || mark.place == Place::sending)) {
            mark.place = Place::free;
            free_.push_back(chunk);
            ++recovered;
        }
    }
    return recovered;
}

std::optional<std::uint32_t> FramePool::claim(std::uint64_t address, Place place,
                                              Borrower borrower) noexcept {
    const std::uint64_t chunk = address / chunk_size;
    if (chunk >= total() || marks_[chunk].place != place || marks_[chunk].borrower != borrower) {
        fault("a ring returned a chunk that it did not have", address);
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(chunk);
}

// A chunk that is counted twice would end up in two packets. Release builds set it aside and go on.
void FramePool::fault(const char* what, std::uint64_t address) noexcept {
    ++faults_;
#ifndef NDEBUG
    std::fprintf(stderr, "frame pool: %s (UMEM address %llu)\n", what,
                 static_cast<unsigned long long>(address));
    std::abort();
#else
    static_cast<void>(what);
    static_cast<void>(address);
#endif
}

} // namespace stem::xsk
