// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/map_reuse.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <set>
#include <system_error>

namespace stem::kernel {
namespace {

constexpr std::string_view first_generation = "ruleset";
constexpr const char* other_version = "use the stemctl of the version that attached it, or detach it and "
                                      "attach again with this one";

// The capacity of these is a choice at attach, and no part of what a program means.
bool has_free_capacity(std::uint32_t type) {
    return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH || type == BPF_MAP_TYPE_PERCPU_HASH ||
           type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_LPM_TRIE;
}

// The kernel adds this one to device maps by itself.
std::uint32_t own_flags(std::uint32_t type, std::uint32_t flags) {
    return type == BPF_MAP_TYPE_DEVMAP ? flags & ~static_cast<std::uint32_t>(BPF_F_RDONLY_PROG) : flags;
}

std::string difference(const bpf_map* wanted, const MapShape& there) {
    std::string text;
    const auto compare = [&](std::string_view what, std::uint32_t want, std::uint32_t have) {
        if (want != have) {
            text += (text.empty() ? "" : ", ") + std::string(what) + " " + std::to_string(have) + " for " +
                    std::to_string(want);
        }
    };
    compare("type", bpf_map__type(wanted), there.type);
    compare("key size", bpf_map__key_size(wanted), there.key_size);
    compare("value size", bpf_map__value_size(wanted), there.value_size);
    compare("flags", own_flags(there.type, bpf_map__map_flags(wanted)), own_flags(there.type, there.flags));
    if (!has_free_capacity(there.type)) {
        compare("entries", bpf_map__max_entries(wanted), there.max_entries);
    }
    return text;
}

// What the outer map holds now must be what this version's programs expect in it.
Result<std::string> difference_within(bpf_map* wanted, const MapHandle& outer) {
    const bpf_map* prototype = bpf_map__inner_map(wanted);
    std::uint32_t id = 0;
    const auto walked = outer.for_each([&](const std::byte*, const std::byte* value) {
        std::memcpy(&id, value, sizeof(id));
        return false;
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    if (prototype == nullptr || id == 0) {
        return std::string();
    }
    const auto inner = MapHandle::adopt(UniqueFd(bpf_map_get_fd_by_id(id)), outer.name() + "'s content");
    if (!inner) {
        return std::unexpected(inner.error());
    }
    const std::string within = difference(prototype, inner->shape());
    return within.empty() ? within : "in it: " + within;
}

// Pins but those of links and programs.
Result<std::set<std::string>> pins_of(const Instance& instance, const bpf_object* object) {
    const auto folder = instance.locations().pins(instance.name());
    std::set<std::string> names;
    std::error_code status;
    for (std::filesystem::directory_iterator entry(folder, status), end; !status && entry != end;
         entry.increment(status)) {
        names.insert(entry->path().filename());
    }
    if (status) {
        return fail_errno("list " + folder.string(), status.value(), "run as root");
    }
    for (const char* link : link_names) {
        names.erase(link);
    }
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object) {
        const std::string name = bpf_program__name(program);
        names.erase(name);
        names.erase(name + fresh_suffix);
    }
    return names;
}

} // namespace

bool is_pinned(const bpf_map* map) {
    return !bpf_map__is_internal(map) && bpf_map__name(map) != first_generation;
}

Result<> reuse_maps(bpf_object* object, const Instance& instance) {
    auto pins = pins_of(instance, object);
    if (!pins) {
        return std::unexpected(pins.error());
    }
    std::vector<std::pair<bpf_map*, MapHandle>> found;
    std::string differences;
    const auto differs = [&](const std::string& map, const std::string& how) {
        differences += (differences.empty() ? "" : "; ") + map + ": " + how;
    };
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object) {
        const std::string name = bpf_map__name(map);
        if (!is_pinned(map)) {
            continue;
        }
        if (pins->erase(name) == 0) {
            differs(name, "not there");
            continue;
        }
        auto there = MapHandle::open(instance.pin(name));
        if (!there) {
            return std::unexpected(there.error());
        }
        auto within = there->shape().type == BPF_MAP_TYPE_ARRAY_OF_MAPS ? difference_within(map, *there)
                                                                        : Result<std::string>();
        if (!within) {
            return std::unexpected(within.error());
        }
        const std::string how = difference(map, there->shape());
        if (const std::string& told = how.empty() ? *within : how; !told.empty()) {
            differs(name, told);
        }
        found.emplace_back(map, std::move(*there));
    }
    for (const auto& name : *pins) {
        differs(name, "not known to this version");
    }
    if (!differences.empty()) {
        return fail("take over the maps of instance '" + instance.name() + "'", differences, other_version);
    }
    for (const auto& [own, there] : found) {
        if (const int status = bpf_map__reuse_fd(own, there.fd()); status != 0) {
            return fail_errno("take over map " + there.name(), -status);
        }
    }
    return {};
}

} // namespace stem::kernel
