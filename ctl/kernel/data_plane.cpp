// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/data_plane.h"

#include "ctl/kernel/clock.h"
#include "ctl/kernel/instance.h"
#include "ctl/kernel/libbpf_log.h"
#include "ctl/kernel/map_reuse.h"
#include "ctl/kernel/rule_compiler.h"

#include <stem.skel.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/random.h>

#include <algorithm>
#include <random>

namespace stem::kernel {
namespace {

// The skeleton keeps its descriptors; Map gets one of its own.
template<typename M>
Result<M> view(const bpf_map* map) {
    UniqueFd fd(fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3));
    if (!fd) {
        return fail_errno(std::string("open map ") + bpf_map__name(map));
    }
    return M::adopt(std::move(fd), bpf_map__name(map));
}

template<typename M, typename Key, typename Value>
Result<> put_one(const bpf_map* map, const Key& key, const Value& value) {
    const auto typed = view<M>(map);
    if (!typed) {
        return std::unexpected(typed.error());
    }
    return typed->put(key, value);
}

// Any client: a trie entry whose prefix ends before the address covers both families at once.
stem_failsafe_key failsafe_key(const Failsafe& entry) {
    stem_failsafe_key key{.prefix_length = STEM_FAILSAFE_PREFIX_BASE,
                          .port = entry.port,
                          .protocol = entry.protocol,
                          .direction = static_cast<std::uint8_t>(entry.direction),
                          .client = {}};
    if (entry.client) {
        key.prefix_length += entry.client->mapped_length();
        std::ranges::copy(entry.client->network().octets(), key.client);
    }
    return key;
}

} // namespace

void DataPlane::Deleter::operator()(stem_bpf* object) const noexcept {
    stem_bpf__destroy(object);
}

Result<DataPlane> DataPlane::open() {
    const LibbpfLog log;
    DataPlane plane{Object(stem_bpf__open())};
    if (!plane.object_) {
        return fail_errno("open the embedded data plane", errno, log.tail());
    }
    return plane;
}

// A seed that no sender can know. Each load has its own: what the sketches then hold ages within a second.
Result<> DataPlane::seed_sketches() noexcept {
    std::uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        return fail_errno("draw a random seed");
    }
    object_->rodata->stem_syn_seed = seed;
    return {};
}

// Linux 6.0 with CONFIG_SYN_COOKIES.
Result<> DataPlane::require_cookies() const {
    if ((object_->rodata->stem_modules & STEM_MODULE_SYN_COOKIE) == 0) {
        return {};
    }
    for (const bpf_func_id helper :
         {BPF_FUNC_tcp_raw_gen_syncookie_ipv4, BPF_FUNC_tcp_raw_gen_syncookie_ipv6}) {
        if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, helper, nullptr) == 0) {
            return fail("switch module syn_cookie on", "this kernel makes no SYN cookies for XDP programs",
                        "use a kernel of 6.0 or later with CONFIG_SYN_COOKIES and CONFIG_IPV6, or leave the "
                        "module off");
        }
    }
    return {};
}

Result<> DataPlane::into_kernel() {
    const LibbpfLog log;
    if (auto seeded = seed_sketches(); !seeded) {
        return seeded;
    }
    if (auto able = require_cookies(); !able) {
        return able;
    }
    if (const int status = stem_bpf__load(object_.get()); status != 0) {
        return std::unexpected(Error{.attempt = "load the data plane into the kernel",
                                     .cause = std::string(std::strerror(-status)) + "\n" + log.tail(),
                                     .remedy = status == -EPERM ? "run as root"
                                                                : "the kernel's verifier or its memory "
                                                                  "refused it: report this text",
                                     .code = -status});
    }
    return {};
}

Result<DataPlane> DataPlane::load(const AttachRequest& request, const Ports& ports) {
    auto plane = open();
    if (!plane) {
        return plane;
    }
    plane->configure(request, ports);
    if (auto loaded = plane->into_kernel(); !loaded) {
        return std::unexpected(loaded.error());
    }
    if (auto filled = plane->fill(request, ports); !filled) {
        return std::unexpected(filled.error());
    }
    return plane;
}

Result<DataPlane> DataPlane::reload(const Instance& instance, const ProgramSettings& settings,
                                    std::uint32_t modules) {
    auto plane = open();
    if (!plane) {
        return plane;
    }
    if (auto kept = apply_settings(settings, plane->object_->obj); !kept) {
        return std::unexpected(kept.error());
    }
    plane->object_->rodata->stem_modules = modules;
    if (auto reused = reuse_maps(plane->object_->obj, instance); !reused) {
        return std::unexpected(reused.error());
    }
    if (auto loaded = plane->into_kernel(); !loaded) {
        return std::unexpected(loaded.error());
    }
    return plane;
}

void DataPlane::configure(const AttachRequest& request, const Ports& ports) noexcept {
    auto* settings = object_->rodata;
    settings->stem_mode = request.mode;
    settings->stem_modules = request.modules;
    settings->stem_fallback_open = request.fallback_open ? 1 : 0;
    settings->stem_event_rate = request.event_rate;
    settings->stem_failsafe_udp = std::ranges::any_of(
        request.failsafe, [](const Failsafe& entry) { return entry.protocol == IPPROTO_UDP; });
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        std::ranges::copy(ports[port].mac, settings->stem_port_mac[port]);
    }
    bpf_map__set_max_entries(object_->maps.flows, request.max_flows);
    settings->stem_states_max = request.max_states;
    bpf_map__set_max_entries(object_->maps.states, request.max_states);
    bpf_map__set_max_entries(object_->maps.steered, request.max_states);
}

Result<> DataPlane::fill(const AttachRequest& request, const Ports& ports) const {
    const auto& maps = object_->maps;
    for (const std::uint16_t port : request.sip_ports) {
        if (auto put = put_one<SipPortMap>(maps.sip_ports, port, std::uint8_t{1}); !put) {
            return put;
        }
    }
    for (const auto& entry : request.failsafe) {
        if (auto put = put_one<FailsafeMap>(maps.failsafe, failsafe_key(entry), stem_failsafe{}); !put) {
            return put;
        }
    }
    stem_thresholds thresholds{};
    stem_default_thresholds(&thresholds);
    if (auto put = put_one<ThresholdMap>(maps.thresholds, std::uint32_t{0}, thresholds); !put) {
        return put;
    }
    for (const SipProxy& proxy : request.proxies) {
        if (auto put = put_one<ProxyMap>(maps.proxies, std::uint32_t{family_of(proxy.endpoint.address)},
                                         proxy.raw());
            !put) {
            return put;
        }
    }
    std::random_device random;
    if (auto put =
            put_one<SeedMap>(maps.stream_seed, std::uint32_t{0}, std::uint64_t{random()} << 32U | random());
        !put) {
        return put;
    }
    const auto generation = view<MappedRuleset>(maps.ruleset);
    if (!generation) {
        return std::unexpected(generation.error());
    }
    Rules rules = request.rules;
    if (auto good = resolve_interfaces(rules, {request.external, request.internal}); !good) {
        return good;
    }
    stem_ruleset& set = (*generation)[0];
    if (auto good = compile_rules(rules, set); !good) {
        return good;
    }
    set.generation = 1;
    set.loaded_ns = realtime_ns();
    for (std::uint32_t port = 0; port < STEM_PORTS; port++) {
        if (auto put = put_one<IndexMap>(maps.tx_ports, port, ports[port].index); !put) {
            return put;
        }
    }
    return {};
}

Result<> DataPlane::pin_maps(const std::filesystem::path& folder) const {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object_->obj) {
        if (!is_pinned(map)) {
            continue;
        }
        const auto pin = folder / bpf_map__name(map);
        if (const int status = bpf_map__pin(map, pin.c_str()); status != 0) {
            return fail_errno("pin map " + pin.string(), -status);
        }
    }
    for (bpf_program* program : called_programs()) {
        const auto pin = folder / bpf_program__name(program);
        if (const int status = bpf_program__pin(program, pin.c_str()); status != 0) {
            return fail_errno("pin program " + pin.string(), -status);
        }
    }
    return {};
}

std::array<bpf_program*, 2> DataPlane::called_programs() const noexcept {
    return {object_->progs.sweep, object_->progs.deny_flow};
}

Result<> DataPlane::renew_called(const std::filesystem::path& folder) const {
    for (bpf_program* program : called_programs()) {
        const auto pin = folder / bpf_program__name(program);
        const std::filesystem::path fresh = pin.string() + fresh_suffix;
        std::error_code status;
        std::filesystem::remove(fresh, status); // of a renewal that was interrupted
        if (const int failed = bpf_program__pin(program, fresh.c_str()); failed != 0) {
            return fail_errno("pin program " + fresh.string(), -failed);
        }
        std::filesystem::rename(fresh, pin, status);
        if (status) {
            return fail_errno("put " + fresh.string() + " in place of " + pin.string(), status.value());
        }
    }
    return {};
}

Result<> DataPlane::write_meta(const stem_meta& meta) const {
    return put_one<MetaMap>(object_->maps.meta, std::uint32_t{0}, meta);
}

int DataPlane::program(std::size_t port) const noexcept {
    return bpf_program__fd(port == STEM_PORT_EXTERNAL ? object_->progs.stem_external
                                                      : object_->progs.stem_internal);
}

std::uint32_t DataPlane::modules() const noexcept {
    return object_->rodata->stem_modules;
}

} // namespace stem::kernel
