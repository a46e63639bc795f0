// SPDX-License-Identifier: Apache-2.0
// A pinned BPF map with the types of its keys and values. Sizes are checked once, when it is opened.
#pragma once

#include "ctl/kernel/map_handle.h"

#include <array>
#include <concepts>
#include <cstring>
#include <optional>
#include <type_traits>

namespace stem::kernel {

// Numbers are the kernel's: BPF_ANY, BPF_NOEXIST, BPF_EXIST.
enum class Put : std::uint64_t { always = 0, if_new = 1, if_there = 2 };

template<typename Key, typename Value>
    requires std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value>
class Map {
  public:
    // ENOENT: no such pin. A map of other sizes is refused.
    static Result<Map> open(const std::filesystem::path& pin) { return typed(MapHandle::open(pin)); }
    static Result<Map> adopt(UniqueFd fd, std::string name) {
        return typed(MapHandle::adopt(std::move(fd), std::move(name)));
    }

    [[nodiscard]] Result<std::optional<Value>> get(const Key& key) const {
        Value value{};
        const auto there = handle_.get(bytes_of(key), std::as_writable_bytes(std::span(&value, 1)));
        if (!there) {
            return std::unexpected(there.error());
        }
        return *there ? std::optional<Value>(value) : std::nullopt;
    }

    // Replaces the whole value. Error code E2BIG: full; EEXIST, ENOENT: as `how` asks.
    [[nodiscard]] Result<> put(const Key& key, const Value& value, Put how = Put::always) const {
        return handle_.put(bytes_of(key), bytes_of(value), static_cast<std::uint64_t>(how));
    }

    // False: there was no such key.
    [[nodiscard]] Result<bool> erase(const Key& key) const { return handle_.erase(bytes_of(key)); }

    // visit(const Key&, const Value&); may return false to stop. It may change the map.
    template<std::invocable<const Key&, const Value&> Visit>
    [[nodiscard]] Result<> for_each(Visit visit) const {
        return handle_.for_each([&](const std::byte* raw_key, const std::byte* raw_value) {
            Key key;
            Value value;
            std::memcpy(&key, raw_key, sizeof(key));
            std::memcpy(&value, raw_value, sizeof(value));
            if constexpr (std::is_void_v<std::invoke_result_t<Visit, const Key&, const Value&>>) {
                visit(key, value);
                return true;
            } else {
                return static_cast<bool>(visit(key, value));
            }
        });
    }

    [[nodiscard]] Result<std::uint32_t> count() const {
        std::uint32_t entries = 0;
        const auto walked = handle_.for_each([&](const std::byte* /*key*/, const std::byte* /*value*/) {
            entries++;
            return true;
        });
        if (!walked) {
            return std::unexpected(walked.error());
        }
        return entries;
    }

    [[nodiscard]] int fd() const noexcept { return handle_.fd(); }
    [[nodiscard]] const MapShape& shape() const noexcept { return handle_.shape(); }

  private:
    explicit Map(MapHandle handle) : handle_(std::move(handle)) {}

    static Result<Map> typed(Result<MapHandle> handle) {
        if (!handle) {
            return std::unexpected(handle.error());
        }
        if (auto fits = handle->require(sizeof(Key), sizeof(Value)); !fits) {
            return std::unexpected(fits.error());
        }
        return Map(std::move(*handle));
    }

    template<typename T>
    static std::span<const std::byte> bytes_of(const T& value) {
        return std::as_bytes(std::span(&value, 1));
    }

    MapHandle handle_;
};

// A per-CPU array whose value is an array of u64 counters in disguise: read as the sum over all CPUs.
template<typename Value>
    requires std::is_trivially_copyable_v<Value> && (sizeof(Value) % sizeof(std::uint64_t) == 0)
class PerCpuArray {
  public:
    static Result<PerCpuArray> open(const std::filesystem::path& pin) {
        auto handle = MapHandle::open(pin);
        if (!handle) {
            return std::unexpected(handle.error());
        }
        if (auto fits = handle->require(sizeof(std::uint32_t), sizeof(Value)); !fits) {
            return std::unexpected(fits.error());
        }
        return PerCpuArray(std::move(*handle));
    }

    // One sum for each index.
    [[nodiscard]] Result<std::vector<Value>> sums() const {
        std::vector<Value> sums(handle_.shape().max_entries);
        const auto walked = handle_.for_each([&](const std::byte* key, const std::byte* values) {
            std::uint32_t index = 0;
            std::memcpy(&index, key, sizeof(index));
            if (index < sums.size()) {
                for (std::size_t cpu = 0; cpu < possible_cpus(); cpu++) {
                    add(sums[index], values + cpu * sizeof(Value));
                }
            }
            return true;
        });
        if (!walked) {
            return std::unexpected(walked.error());
        }
        return sums;
    }

  private:
    explicit PerCpuArray(MapHandle handle) : handle_(std::move(handle)) {}

    static void add(Value& sum, const std::byte* value) {
        std::array<std::uint64_t, sizeof(Value) / 8> total{};
        auto more = total;
        std::memcpy(total.data(), &sum, sizeof(Value));
        std::memcpy(more.data(), value, sizeof(Value));
        for (std::size_t i = 0; i < total.size(); i++) {
            total[i] += more[i];
        }
        std::memcpy(&sum, total.data(), sizeof(Value));
    }

    MapHandle handle_;
};

} // namespace stem::kernel
