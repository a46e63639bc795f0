// SPDX-License-Identifier: Apache-2.0
// An open BPF map without its types: what Map and MappedArray are made of. Nothing else uses it.
#pragma once

#include <stem/error.h>
#include <stem/unique_fd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace stem::kernel {

// As the kernel tells it (BPF_OBJ_GET_INFO_BY_FD).
struct MapShape {
    std::uint32_t type = 0; // enum bpf_map_type
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
    std::uint32_t max_entries = 0;
    std::uint32_t flags = 0;
    std::uint32_t id = 0;
    std::uint32_t btf_id = 0;
};

class MapHandle {
  public:
    // Opens a pin. EPERM and EACCES get the remedy "run as root".
    static Result<MapHandle> open(const std::filesystem::path& pin);
    // Takes a descriptor over; `name` is for errors.
    static Result<MapHandle> adopt(UniqueFd fd, std::string name);

    // Refuses a map whose key or value has another size than this build's.
    [[nodiscard]] Result<> require(std::size_t key_size, std::size_t value_size) const;

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] const MapShape& shape() const noexcept { return shape_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    // Bytes that one look-up writes: all CPUs' values, each rounded up to 8, in a per-CPU map.
    [[nodiscard]] std::size_t lookup_size() const noexcept;

    // False: no such key.
    [[nodiscard]] Result<bool> get(std::span<const std::byte> key, std::span<std::byte> value) const;
    // flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST.
    [[nodiscard]] Result<> put(std::span<const std::byte> key, std::span<const std::byte> value,
                               std::uint64_t flags) const;
    // False: there was no such key.
    [[nodiscard]] Result<bool> erase(std::span<const std::byte> key) const;

    // False from the visitor ends the walk.
    using Visitor = std::function<bool(const std::byte* key, const std::byte* value)>;
    // Every entry once, in no order. Entries that come or go meanwhile may be seen or not. In batches (kernel
    // 5.6) where the map type has them.
    [[nodiscard]] Result<> for_each(const Visitor& visit) const;

  private:
    MapHandle(UniqueFd fd, std::string name, MapShape shape)
        : fd_(std::move(fd)), name_(std::move(name)), shape_(shape) {}
    [[nodiscard]] Result<> walk_by_key(const Visitor& visit) const;
    [[nodiscard]] Result<std::vector<std::vector<std::byte>>> keys() const;

    UniqueFd fd_;
    std::string name_;
    MapShape shape_;
};

// CPUs that per-CPU maps have room for.
std::size_t possible_cpus() noexcept;

} // namespace stem::kernel
