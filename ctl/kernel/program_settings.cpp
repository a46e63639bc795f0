// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/program_settings.h"

#include <stem/unique_fd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace stem::kernel {
namespace {

constexpr const char* section = ".rodata";

struct BtfDeleter {
    void operator()(btf* types) const noexcept { btf__free(types); }
};

// Every global constant of a data section: name, and where in the section it is.
Result<> for_each_constant(const btf* types, std::uint32_t section_id,
                           const std::function<Result<>(std::string, std::size_t, std::size_t)>& visit) {
    const btf_type* data = btf__type_by_id(types, section_id);
    if (data == nullptr || !btf_is_datasec(data)) {
        return fail("read the constants of the data plane", "its types do not tell of them",
                    "detach it and attach again");
    }
    for (const auto& entry : std::span(btf_var_secinfos(data), btf_vlen(data))) {
        const btf_type* variable = btf__type_by_id(types, entry.type);
        // Tables that the program is made with are static: they are the new program's business.
        if (variable == nullptr || !btf_is_var(variable) ||
            btf_var(variable)->linkage != BTF_VAR_GLOBAL_ALLOCATED) {
            continue;
        }
        if (auto visited = visit(btf__name_by_offset(types, variable->name_off), entry.offset, entry.size);
            !visited) {
            return visited;
        }
    }
    return {};
}

Result<std::vector<std::uint32_t>> maps_of(int program) {
    bpf_prog_info info{};
    std::uint32_t length = sizeof(info);
    if (bpf_obj_get_info_by_fd(program, &info, &length) != 0) {
        return fail_errno("ask the running program for its maps", errno, "run as root");
    }
    std::vector<std::uint32_t> ids(info.nr_map_ids);
    info = {};
    info.nr_map_ids = static_cast<std::uint32_t>(ids.size());
    info.map_ids = reinterpret_cast<std::uint64_t>(ids.data());
    length = sizeof(info);
    if (bpf_obj_get_info_by_fd(program, &info, &length) != 0) {
        return fail_errno("ask the running program for its maps");
    }
    return ids;
}

} // namespace

Result<ProgramSettings> settings_of(int program) {
    const auto ids = maps_of(program);
    if (!ids) {
        return std::unexpected(ids.error());
    }
    for (const std::uint32_t id : *ids) {
        const UniqueFd map(bpf_map_get_fd_by_id(id));
        bpf_map_info info{};
        std::uint32_t length = sizeof(info);
        if (!map || bpf_obj_get_info_by_fd(map.get(), &info, &length) != 0) {
            return fail_errno("open map " + std::to_string(id) + " of the running program", errno,
                              "run as root");
        }
        if (!std::string_view(info.name).ends_with(section)) {
            continue;
        }
        std::vector<std::byte> value(info.value_size);
        const std::uint32_t zero = 0;
        if (bpf_map_lookup_elem(map.get(), &zero, value.data()) != 0) {
            return fail_errno("read the constants of the running program");
        }
        const std::unique_ptr<btf, BtfDeleter> types(btf__load_from_kernel_by_id(info.btf_id));
        if (!types) {
            return fail_errno("read the types of the running program's constants", errno,
                              "detach it and attach again");
        }
        ProgramSettings settings;
        auto read =
            for_each_constant(types.get(), info.btf_value_type_id,
                              [&](std::string name, std::size_t at, std::size_t size) -> Result<> {
                                  if (at + size > value.size()) {
                                      return fail("read constant " + name, "it lies outside its map");
                                  }
                                  const auto bytes = std::span(value).subspan(at, size);
                                  settings.emplace(std::move(name), std::vector(bytes.begin(), bytes.end()));
                                  return {};
                              });
        if (!read) {
            return std::unexpected(read.error());
        }
        return settings;
    }
    return fail("read the constants of the running program", "it has none: it is not STEM's",
                "see which programs are attached: ip link show");
}

Result<> apply_settings(const ProgramSettings& settings, bpf_object* object) {
    const btf* types = bpf_object__btf(object);
    bpf_map* map = bpf_object__find_map_by_name(object, section);
    std::size_t size = 0;
    const void* initial = map == nullptr ? nullptr : bpf_map__initial_value(map, &size);
    const int id = types == nullptr ? -1 : btf__find_by_name_kind(types, section, BTF_KIND_DATASEC);
    if (initial == nullptr || id < 0) {
        return fail("set the constants of the data plane", "the embedded program does not tell of them");
    }
    std::vector<std::byte> memory(size);
    std::memcpy(memory.data(), initial, size);
    auto kept =
        for_each_constant(types, static_cast<std::uint32_t>(id),
                          [&](const std::string& name, std::size_t at, std::size_t room) {
                              const auto found = settings.find(name);
                              if (found == settings.end()) {
                                  return Result<>{};
                              }
                              if (found->second.size() != room || at + room > size) {
                                  return Result<>(fail("keep constant " + name,
                                                       "it has " + std::to_string(found->second.size()) +
                                                           " bytes in the running program and " +
                                                           std::to_string(room) + " in this version",
                                                       "detach it and attach again"));
                              }
                              std::memcpy(memory.data() + at, found->second.data(), room);
                              return Result<>{};
                          });
    if (!kept) {
        return kept;
    }
    if (const int status = bpf_map__set_initial_value(map, memory.data(), size); status != 0) {
        return fail_errno("set the constants of the data plane", -status);
    }
    return {};
}

std::uint32_t word_of(const ProgramSettings& settings, const std::string& name) {
    std::uint32_t word = 0;
    const auto found = settings.find(name);
    if (found != settings.end() && found->second.size() == sizeof(word)) {
        std::memcpy(&word, found->second.data(), sizeof(word));
    }
    return word;
}

} // namespace stem::kernel
