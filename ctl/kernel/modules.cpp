// SPDX-License-Identifier: Apache-2.0
#include "ctl/kernel/modules.h"

#include "ctl/kernel/clock.h"
#include "ctl/kernel/data_plane.h"
#include "ctl/kernel/program_settings.h"
#include "ctl/kernel/version.h"
#include "ctl/kernel/xdp_link.h"

#include <stem/module.h>

#include <algorithm>

namespace stem::kernel {
namespace {

constexpr const char* modules_setting = "stem_modules";

stem_meta changed(stem_meta meta, std::uint32_t modules) {
    const std::uint64_t now = realtime_ns() / 1'000'000'000U;
    for (const auto& info : stem::modules()) {
        if (is_on(meta.modules, info) != is_on(modules, info) || meta.module_since[info.bit] == 0) {
            meta.module_since[info.bit] = now;
        }
    }
    meta.modules = modules;
    std::ranges::fill(meta.version, '\0');
    version.copy(meta.version, sizeof(meta.version) - 1);
    return meta;
}

// Programs with `modules` on both ports, then `meta`.
Result<ModuleChange> replace(const Instance& instance, const LinkedPrograms& running,
                             const ProgramSettings& settings, std::uint32_t modules) {
    const auto plane = DataPlane::reload(instance, settings, modules);
    if (!plane) {
        return std::unexpected(plane.error());
    }
    if (auto replaced = replace_programs(running, *plane); !replaced) {
        return std::unexpected(replaced.error());
    }
    const ModuleChange change{.before = instance.meta(), .after = changed(instance.meta(), modules)};
    auto written = plane->renew_called(instance.locations().pins(instance.name()));
    if (written) {
        written = plane->write_meta(change.after);
    }
    if (!written) {
        if (auto restored = restore_programs(running, *plane); !restored) {
            written.error().cause +=
                "; and the programs before could not be put back: " + restored.error().message();
        }
        return std::unexpected(written.error());
    }
    return change;
}

// Opens the instance anew once nobody else changes it.
Result<Instance> reopened(const Instance& instance) {
    return Instance::open(instance.locations(), instance.name());
}

} // namespace

Result<std::array<std::uint32_t, STEM_PORTS>> running_modules(const Instance& instance) {
    const auto running = linked_programs(instance);
    if (!running) {
        return std::unexpected(running.error());
    }
    std::array<std::uint32_t, STEM_PORTS> modules{};
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        const auto settings = settings_of(running->program[port].get());
        if (!settings) {
            return std::unexpected(settings.error());
        }
        modules[port] = word_of(*settings, modules_setting);
    }
    return modules;
}

Result<ModuleChange> switch_modules(const Locations& locations, std::string_view name, std::uint32_t enable,
                                    std::uint32_t disable) {
    auto instance = Instance::open(locations, name);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    const auto lock = instance->lock_for_change("modules");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    instance = reopened(*instance);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    const auto running = linked_programs(*instance);
    if (!running) {
        return std::unexpected(running.error());
    }
    const std::uint32_t wanted = (instance->meta().modules | enable) & ~disable;
    bool there_already = wanted == instance->meta().modules;
    std::array<ProgramSettings, STEM_PORTS> settings;
    for (std::size_t port = 0; port < STEM_PORTS; port++) {
        auto of_port = settings_of(running->program[port].get());
        if (!of_port) {
            return std::unexpected(of_port.error());
        }
        there_already = there_already && word_of(*of_port, modules_setting) == wanted;
        settings[port] = std::move(*of_port);
    }
    if (there_already) {
        return ModuleChange{.before = instance->meta(), .after = instance->meta()};
    }
    return replace(*instance, *running, settings[STEM_PORT_EXTERNAL], wanted);
}

Result<ModuleChange> upgrade(const Locations& locations, std::string_view name) {
    auto instance = Instance::open(locations, name);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    const auto lock = instance->lock_for_change("upgrade");
    if (!lock) {
        return std::unexpected(lock.error());
    }
    instance = reopened(*instance);
    if (!instance) {
        return std::unexpected(instance.error());
    }
    const auto running = linked_programs(*instance);
    if (!running) {
        return std::unexpected(running.error());
    }
    const auto settings = settings_of(running->program[STEM_PORT_EXTERNAL].get());
    if (!settings) {
        return std::unexpected(settings.error());
    }
    return replace(*instance, *running, *settings, instance->meta().modules);
}

} // namespace stem::kernel
