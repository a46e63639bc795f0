// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/ruleset_map.h"

#include "ctl/kernel/clock.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

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

Result<RulesetMap> make_generation(const Instance& instance) {
    const Types types = types_of(instance);
    LIBBPF_OPTS(bpf_map_create_opts, options);
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
    return RulesetMap::adopt(std::move(fd), "ruleset");
}

} // namespace

Result<stem_ruleset> rules_in_force(const Instance& instance) {
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
    const auto map = RulesetMap::adopt(std::move(fd), "ruleset");
    if (!map) {
        return std::unexpected(map.error());
    }
    const auto rules = map->get(0);
    if (!rules) {
        return std::unexpected(rules.error());
    }
    return rules->value();
}

Result<std::uint64_t> load_rules(const Instance& instance, stem_ruleset rules) {
    const auto lock = instance.lock_for_change("rules load");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    const auto before = rules_in_force(instance);
    if (!before) {
        return std::unexpected(before.error());
    }
    rules.generation = before->generation + 1;
    rules.loaded_ns = realtime_ns();
    const auto generation = make_generation(instance);
    if (!generation) {
        return std::unexpected(generation.error());
    }
    if (auto written = generation->put(0, rules); !written) {
        return std::unexpected(written.error());
    }
    const auto slots = IndexMap::open(instance.pin("rules"));
    if (!slots) {
        return std::unexpected(slots.error());
    }
    if (auto flipped = slots->put(0, static_cast<std::uint32_t>(generation->fd())); !flipped) {
        return std::unexpected(flipped.error());
    }
    return rules.generation;
}

} // namespace stem::kernel
