// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/ruleset_map.h"

#include "ctl/kernel/clock.h"
#include "ctl/kernel/rule_compiler.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>

#include <algorithm>
#include <memory>

namespace stem::kernel {
namespace {

struct BtfDeleter {
    void operator()(btf* types) const noexcept { btf__free(types); }
};

// The types that let `bpftool map dump` show rules as rules; without them the map works as well.
struct Types {
    UniqueFd fd;
    std::uint32_t key = 0;
    std::uint32_t value = 0;
};

Types types_of(const Instance& instance) {
    const auto meta = MetaMap::open(instance.pin("meta"));
    if (!meta || meta->shape().btf_id == 0) {
        return {};
    }
    const std::unique_ptr<btf, BtfDeleter> types(btf__load_from_kernel_by_id(meta->shape().btf_id));
    if (!types) {
        return {};
    }
    const int key = btf__find_by_name(types.get(), "__u32");
    const int value = btf__find_by_name_kind(types.get(), "stem_ruleset", BTF_KIND_STRUCT);
    UniqueFd fd(bpf_btf_get_fd_by_id(meta->shape().btf_id));
    if (key <= 0 || value <= 0 || !fd) {
        return {};
    }
    return {.fd = std::move(fd),
            .key = static_cast<std::uint32_t>(key),
            .value = static_cast<std::uint32_t>(value)};
}

// The descriptor, and the memory behind it.
struct Generation {
    UniqueFd fd;
    MappedRuleset memory;
};

Result<MappedRuleset> map_generation(const UniqueFd& fd) {
    UniqueFd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) {
        return fail_errno("open a generation of rules");
    }
    return MappedRuleset::adopt(std::move(copy), "ruleset");
}

Result<Generation> make_generation(const Instance& instance) {
    const Types types = types_of(instance);
    LIBBPF_OPTS(bpf_map_create_opts, options);
    options.map_flags = BPF_F_MMAPABLE;
    if (types.fd) {
        options.btf_fd = static_cast<std::uint32_t>(types.fd.get());
        options.btf_key_type_id = types.key;
        options.btf_value_type_id = types.value;
    }
    UniqueFd fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ruleset", sizeof(std::uint32_t), sizeof(stem_ruleset), 1,
                               &options));
    if (!fd) {
        return fail_errno("make a map for the new rules", errno, errno == EPERM ? "run as root" : "");
    }
    auto memory = map_generation(fd);
    if (!memory) {
        return std::unexpected(memory.error());
    }
    return Generation{.fd = std::move(fd), .memory = std::move(*memory)};
}

} // namespace

Result<MappedRuleset> rules_in_force(const Instance& instance) {
    const auto slots = IndexMap::open(instance.pin("rules"));
    if (!slots) {
        return std::unexpected(slots.error());
    }
    const auto id = slots->get(0);
    if (!id) {
        return std::unexpected(id.error());
    }
    UniqueFd fd(*id ? bpf_map_get_fd_by_id(**id) : -1);
    if (!fd) {
        return fail_errno("open the rules in force", errno, "run as root");
    }
    return MappedRuleset::adopt(std::move(fd), "ruleset");
}

std::span<const stem_rule> rules_of(const stem_ruleset& generation) noexcept {
    return std::span(generation.rule).first(std::min<std::size_t>(generation.count, STEM_RULES_MAX));
}

stem_counter hits_of(const stem_ruleset& generation, std::size_t index) noexcept {
    stem_counter sum{};
    for (const auto& stripe : generation.hits) {
        sum.packets += __atomic_load_n(&stripe[index].packets, __ATOMIC_RELAXED);
        sum.bytes += __atomic_load_n(&stripe[index].bytes, __ATOMIC_RELAXED);
    }
    return sum;
}

Result<std::uint64_t> load_rules(const Instance& instance, Rules rules) {
    const auto& names = instance.meta().ifname;
    if (auto good = resolve_interfaces(rules, {names[STEM_PORT_EXTERNAL], names[STEM_PORT_INTERNAL]});
        !good) {
        return std::unexpected(good.error());
    }
    const auto lock = instance.lock_for_change("rules load");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const auto before = rules_in_force(instance);
    if (!before) {
        return std::unexpected(before.error());
    }
    const auto next = make_generation(instance);
    if (!next) {
        return std::unexpected(next.error());
    }
    stem_ruleset& set = next->memory[0];
    if (auto good = compile_rules(rules, set); !good) {
        return std::unexpected(good.error());
    }
    set.generation = (*before)[0].generation + 1;
    set.loaded_ns = realtime_ns();
    const auto slots = IndexMap::open(instance.pin("rules"));
    if (!slots) {
        return std::unexpected(slots.error());
    }
    if (auto flipped = slots->put(0, static_cast<std::uint32_t>(next->fd.get())); !flipped) {
        return std::unexpected(flipped.error());
    }
    return set.generation;
}

} // namespace stem::kernel
