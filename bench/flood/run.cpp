// SPDX-License-Identifier: Apache-2.0
#include "flood/run.h"

#include "flood/machine_time.h"

#include <thread>

namespace stem::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t million = 0xfffff; // 2^20 sources
// Until the flood is at its height.
constexpr auto head_start = 300ms;

// 10.0.0.0/8 (flood/plain_world.h): 2^20 addresses for each run, from the second on.
Address flood_source(unsigned number) {
    return Address::v4({10, static_cast<std::uint8_t>((number % 15 + 1) << 4U), 0, 1});
}

struct Target {
    Port port;                           // that the flood leaves by
    std::array<std::uint8_t, 6> station; // that it is sent to
};

Result<Target> target_of(const lab::World& world) {
    Target target{.port = {.netns = &world.outside(), .name = lab::outside_port}, .station = {}};
    // A bridge is no hop: there the frames are the proxy's own.
    Port hop = world.mode() == lab::Mode::bridge ? Port{.netns = &world.inside(), .name = "lan0"}
                                                 : Port{.netns = &world.middle(), .name = lab::external_port};
    for (auto* port : {&target.port, &hop}) {
        if (auto known = port->identify(); !known) {
            return std::unexpected(known.error());
        }
    }
    target.station = hop.station;
    return target;
}

Result<std::unique_ptr<Flooder>> flooder_for(const FloodPlan& plan, const lab::World& world,
                                             const Callers& callers, unsigned number) {
    auto target = target_of(world);
    if (!target) {
        return std::unexpected(target.error());
    }
    Flood flood{.kind = plan.kind,
                .source = {.address = flood_source(number), .port = 0},
                .destination = {.address = world.proxy(lab::Family::v4), .port = 5060},
                .source_spread = plan.spoofed ? million : 0,
                .any_port = plan.kind == FloodKind::syn,
                .station = target->station,
                .rate = plan.rate};
    if (plan.kind == FloodKind::rtp) {
        flood.source = callers.attacked_source();
        flood.destination = callers.attacked_destination();
    }
    return Flooder::create(target->port, flood);
}

// What is counted before and after.
struct Reading {
    Clock::time_point at;
    std::uint64_t made = 0;
    std::uint64_t came = 0;
    MachineTime machine;
    std::chrono::nanoseconds daemon{};
    Drops drops;
};

Result<Reading> read(Arena& arena, const Flooder* flooder) {
    auto drops = arena.drops();
    if (!drops) {
        return std::unexpected(drops.error());
    }
    auto came = Port{.netns = &arena.world().middle(), .name = lab::external_port}.received();
    if (!came) {
        return std::unexpected(came.error());
    }
    return Reading{.at = Clock::now(),
                   .made = flooder == nullptr ? 0 : flooder->made(),
                   .came = *came,
                   .machine = machine_time(),
                   .daemon = arena.daemon_cpu(),
                   .drops = std::move(*drops)};
}

FloodRun difference(const Reading& before, Reading after, CallCounts calls) {
    using Seconds = std::chrono::duration<double>;
    const double seconds = Seconds(after.at - before.at).count();
    for (auto& [reason, packets] : after.drops) {
        const auto old = before.drops.find(reason);
        packets -= old == before.drops.end() ? 0 : old->second;
    }
    std::erase_if(after.drops, [](const auto& drop) { return drop.second == 0; });
    return {.calls = std::move(calls),
            .seconds = seconds,
            .made = after.made - before.made,
            .came = after.came - before.came,
            .busy_cpus = Seconds(after.machine.busy - before.machine.busy).count() / seconds,
            .system_cpus = Seconds(after.machine.system - before.machine.system).count() / seconds,
            .daemon_cpus = Seconds(after.daemon - before.daemon).count() / seconds,
            .drops = std::move(after.drops)};
}

} // namespace

Result<FloodRun> run_flood(Arena& arena, const std::optional<FloodPlan>& plan, const CallLoad& load,
                           unsigned number) {
    if (auto ready = arena.refresh(); !ready) {
        return std::unexpected(ready.error());
    }
    auto callers = Callers::create(arena);
    if (!callers) {
        return std::unexpected(callers.error());
    }
    std::unique_ptr<Flooder> flooder;
    if (plan) {
        auto created = flooder_for(*plan, arena.world(), **callers, number);
        if (!created) {
            return std::unexpected(created.error());
        }
        flooder = std::move(*created);
    }
    auto before = read(arena, flooder.get());
    if (!before) {
        return std::unexpected(before.error());
    }
    if (flooder) {
        flooder->start();
        std::this_thread::sleep_for(head_start);
    }
    auto calls = (*callers)->carry(load);
    if (flooder) {
        if (auto stopped = flooder->stop(); !stopped) {
            return std::unexpected(stopped.error());
        }
    }
    if (!calls) {
        return std::unexpected(calls.error());
    }
    auto after = read(arena, flooder.get());
    if (!after) {
        return std::unexpected(after.error());
    }
    (*callers)->hang_up();
    return difference(*before, std::move(*after), std::move(*calls));
}

} // namespace stem::bench
