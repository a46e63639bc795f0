// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/map_handle.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stem::kernel {
namespace {

constexpr std::uint32_t first_batch = 1024;
// The kernel's own number for "this map type cannot": it has no name in user space's errno.h.
constexpr int not_supported = 524;

bool is_per_cpu(std::uint32_t type) {
    return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
           type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

std::string remedy_for(int code) {
    if (code == EPERM || code == EACCES) {
        return "run as root";
    }
    if (code == E2BIG) {
        return "the map is full: delete entries first";
    }
    return {};
}

} // namespace

std::size_t possible_cpus() noexcept {
    static const int count = libbpf_num_possible_cpus();
    return count > 0 ? static_cast<std::size_t>(count) : 1;
}

Result<MapHandle> MapHandle::open(const std::filesystem::path& pin) {
    UniqueFd fd(bpf_obj_get(pin.c_str()));
    if (!fd) {
        return fail_errno("open map " + pin.string(), errno, remedy_for(errno));
    }
    return adopt(std::move(fd), pin.string());
}

Result<MapHandle> MapHandle::adopt(UniqueFd fd, std::string name) {
    bpf_map_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0) {
        return fail_errno("read the shape of map " + name, errno, "is it a BPF map?");
    }
    const MapShape shape{.type = info.type,
                         .key_size = info.key_size,
                         .value_size = info.value_size,
                         .max_entries = info.max_entries,
                         .flags = info.map_flags,
                         .id = info.id,
                         .btf_id = info.btf_id};
    return MapHandle(std::move(fd), std::move(name), shape);
}

Result<> MapHandle::require(std::size_t key_size, std::size_t value_size) const {
    if (shape_.key_size == key_size && shape_.value_size == value_size) {
        return {};
    }
    return fail("open map " + name_,
                "key and value have " + std::to_string(shape_.key_size) + " and " +
                    std::to_string(shape_.value_size) + " bytes, this version wants " +
                    std::to_string(key_size) + " and " + std::to_string(value_size),
                "another version attached this instance: detach it and attach again");
}

std::size_t MapHandle::lookup_size() const noexcept {
    const std::size_t value = shape_.value_size;
    return is_per_cpu(shape_.type) ? (value + 7) / 8 * 8 * possible_cpus() : value;
}

Result<bool> MapHandle::get(std::span<const std::byte> key, std::span<std::byte> value) const {
    if (bpf_map_lookup_elem(fd_.get(), key.data(), value.data()) == 0) {
        return true;
    }
    if (errno == ENOENT) {
        return false;
    }
    return fail_errno("read an entry of map " + name_, errno, remedy_for(errno));
}

Result<> MapHandle::put(std::span<const std::byte> key, std::span<const std::byte> value,
                        std::uint64_t flags) const {
    if (bpf_map_update_elem(fd_.get(), key.data(), value.data(), flags) != 0) {
        return fail_errno("write an entry of map " + name_, errno, remedy_for(errno));
    }
    return {};
}

Result<bool> MapHandle::erase(std::span<const std::byte> key) const {
    if (bpf_map_delete_elem(fd_.get(), key.data()) == 0) {
        return true;
    }
    if (errno == ENOENT) {
        return false;
    }
    return fail_errno("delete an entry of map " + name_, errno, remedy_for(errno));
}

Result<> MapHandle::for_each(const Visitor& visit) const {
    const std::size_t value_size = lookup_size();
    std::uint32_t room = std::min(first_batch, shape_.max_entries);
    // The kernel's cursor is a bucket number or a key, whichever the map type likes.
    std::vector<std::byte> cursor(std::max<std::size_t>(shape_.key_size, sizeof(std::uint64_t)));
    std::vector<std::byte> next(cursor.size());
    std::vector<std::byte> keys(std::size_t{room} * shape_.key_size);
    std::vector<std::byte> values(std::size_t{room} * value_size);
    bool begun = false;
    while (true) {
        std::uint32_t count = room;
        const int status = bpf_map_lookup_batch(fd_.get(), begun ? cursor.data() : nullptr, next.data(),
                                                keys.data(), values.data(), &count, nullptr);
        const int code = status == 0 ? 0 : errno;
        if (code == ENOSPC && room < shape_.max_entries) { // a bucket longer than the batch
            room = std::min(room * 4, shape_.max_entries);
            keys.resize(std::size_t{room} * shape_.key_size);
            values.resize(std::size_t{room} * value_size);
            continue;
        }
        if ((code == EINVAL || code == EOPNOTSUPP || code == not_supported) && !begun) {
            return walk_by_key(visit);
        }
        if (code != 0 && code != ENOENT) {
            return fail_errno("read map " + name_, code, remedy_for(code));
        }
        for (std::size_t i = 0; i < count; i++) {
            if (!visit(keys.data() + i * shape_.key_size, values.data() + i * value_size)) {
                return {};
            }
        }
        if (code == ENOENT) {
            return {};
        }
        cursor.swap(next);
        begun = true;
    }
}

// All keys first: deleting the entry that a walk stands on would send it back to the start.
Result<std::vector<std::vector<std::byte>>> MapHandle::keys() const {
    std::vector<std::vector<std::byte>> found;
    std::vector<std::byte> key(shape_.key_size);
    while (found.size() < shape_.max_entries) {
        const int status =
            bpf_map_get_next_key(fd_.get(), found.empty() ? nullptr : found.back().data(), key.data());
        if (status != 0) {
            if (errno == ENOENT) {
                break;
            }
            return fail_errno("walk map " + name_, errno, remedy_for(errno));
        }
        found.push_back(key);
    }
    return found;
}

Result<> MapHandle::walk_by_key(const Visitor& visit) const {
    const auto found = keys();
    if (!found) {
        return std::unexpected(found.error());
    }
    std::vector<std::byte> value(lookup_size());
    for (const auto& key : *found) {
        const auto there = get(key, value);
        if (!there) {
            return std::unexpected(there.error());
        }
        if (*there && !visit(key.data(), value.data())) {
            break;
        }
    }
    return {};
}

} // namespace stem::kernel
