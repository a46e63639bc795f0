// SPDX-License-Identifier: Apache-2.0
// An array map (BPF_F_MMAPABLE) seen as memory: reading and writing cost no system call.
#pragma once

#include "ctl/kernel/map_handle.h"

#include <sys/mman.h>
#include <unistd.h>

#include <span>
#include <type_traits>

namespace stem::kernel {

// The kernel reads and writes the same memory at the same time: use std::atomic_ref on the fields.
template<typename Value>
    requires std::is_trivially_copyable_v<Value> && (sizeof(Value) % 8 == 0)
class MappedArray {
  public:
    static Result<MappedArray> open(const std::filesystem::path& pin) { return of(MapHandle::open(pin)); }
    // `name` is for errors. The memory stays when the descriptor is closed.
    static Result<MappedArray> adopt(UniqueFd fd, std::string name) {
        return of(MapHandle::adopt(std::move(fd), std::move(name)));
    }

    ~MappedArray() { unmap(); }
    MappedArray(const MappedArray&) = delete;
    MappedArray& operator=(const MappedArray&) = delete;
    MappedArray(MappedArray&& other) noexcept
        : values_(std::exchange(other.values_, nullptr)), count_(other.count_), length_(other.length_) {}
    MappedArray& operator=(MappedArray&& other) noexcept {
        if (this != &other) {
            unmap();
            values_ = std::exchange(other.values_, nullptr);
            count_ = other.count_;
            length_ = other.length_;
        }
        return *this;
    }

    [[nodiscard]] std::span<Value> values() const noexcept { return {values_, values_ ? count_ : 0}; }
    [[nodiscard]] Value& operator[](std::size_t index) const noexcept { return values_[index]; }

  private:
    static Result<MappedArray> of(Result<MapHandle> handle) {
        if (!handle) {
            return std::unexpected(handle.error());
        }
        if (auto fits = handle->require(sizeof(std::uint32_t), sizeof(Value)); !fits) {
            return std::unexpected(fits.error());
        }
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t count = handle->shape().max_entries;
        const std::size_t length = (count * sizeof(Value) + page - 1) / page * page;
        void* memory = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, handle->fd(), 0);
        if (memory == MAP_FAILED) {
            return fail_errno("map array " + handle->name() + " into memory");
        }
        return MappedArray(static_cast<Value*>(memory), count, length);
    }

    MappedArray(Value* values, std::size_t count, std::size_t length)
        : values_(values), count_(count), length_(length) {}

    void unmap() noexcept {
        if (values_ != nullptr) {
            munmap(values_, length_);
        }
    }

    Value* values_ = nullptr;
    std::size_t count_ = 0;
    std::size_t length_ = 0;
};

} // namespace stem::kernel
