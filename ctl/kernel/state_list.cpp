// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/state_list.h"

#include <bpf/bpf.h>

#include <algorithm>

namespace stem::kernel {

std::string_view phase_name(unsigned phase) noexcept {
    switch (phase) {
    case STEM_STATE_SYN_SENT:
        return "syn_sent";
    case STEM_STATE_SYN_RECEIVED:
        return "syn_received";
    case STEM_STATE_ESTABLISHED:
        return "established";
    case STEM_STATE_CLOSING:
        return "closing";
    case STEM_STATE_CLOSED:
        return "closed";
    case STEM_STATE_ASKED:
        return "asked";
    case STEM_STATE_ANSWERED:
        return "answered";
    case STEM_STATE_ECHO:
        return "echo";
    default:
        return "unknown";
    }
}

Result<std::vector<StateEntry>> list_states(const Instance& instance) {
    const auto map = StateMap::open(instance.pin("states"));
    if (!map) {
        return std::unexpected(map.error());
    }
    std::vector<StateEntry> states;
    const auto walked = map->for_each([&](const stem_state_key& key, const stem_state& value) {
        states.push_back({.key = key, .value = value});
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    std::ranges::sort(states, {}, [](const StateEntry& entry) { return entry.value.created_ns; });
    return states;
}

Result<std::uint32_t> sweep_states(const Instance& instance, bool all) {
    const auto pin = instance.pin("sweep");
    const UniqueFd program(bpf_obj_get(pin.c_str()));
    if (!program) {
        return fail_errno("open program " + pin.string(), errno,
                          "run as root; if it is not there, attach the instance again");
    }
    stem_sweep about{.all = all ? 1U : 0U, .removed = 0};
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.ctx_in = &about; // the kernel writes the answer back into it
    options.ctx_size_in = sizeof(about);
    if (const int status = bpf_prog_test_run_opts(program.get(), &options); status != 0) {
        return fail_errno("run program " + pin.string(), -status);
    }
    return about.removed;
}

Result<StateFigures> read_state_figures(const Instance& instance) {
    const auto usage = Map<std::uint32_t, stem_state_usage>::open(instance.pin("state_usage"));
    if (!usage) {
        return std::unexpected(usage.error());
    }
    const auto now = usage->get(0);
    if (!now) {
        return std::unexpected(now.error());
    }
    const auto states = StateMap::open(instance.pin("states"));
    if (!states) {
        return std::unexpected(states.error());
    }
    const auto counters = PerCpuArray<std::uint64_t>::open(instance.pin("state_counters"));
    if (!counters) {
        return std::unexpected(counters.error());
    }
    const auto sums = counters->sums();
    if (!sums) {
        return std::unexpected(sums.error());
    }
    StateFigures figures{
        .usage = now->value_or(stem_state_usage{}), .room = states->shape().max_entries, .counters = {}};
    std::copy_n(sums->begin(), std::min(sums->size(), figures.counters.size()), figures.counters.begin());
    return figures;
}

} // namespace stem::kernel
