// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/flood_monitor.h"

#include <spdlog/spdlog.h>

#include "ctl/kernel/trunks.h"

namespace stem::stemd {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t look_interval_ns = second_ns / 10; // the detector's own interval is a threshold
constexpr double percent = 100.0;

} // namespace

Result<> KernelPeers::put(const Address& address, const stem_peer& peer) {
    return map_.put(address.raw(), peer);
}

void KernelPeers::erase(const Address& address) {
    if (const auto erased = map_.erase(address.raw()); !erased) {
        spdlog::error("{}", erased.error().message());
    }
}

void KernelPeers::for_each(const std::function<void(const Address&, const stem_peer&)>& visit) {
    const auto walked = map_.for_each(
        [&](const stem_addr& address, const stem_peer& peer) { visit(Address(address), peer); });
    if (!walked) {
        spdlog::error("{}", walked.error().message());
    }
}

Result<std::unique_ptr<FloodMonitor>> FloodMonitor::open(const kernel::Instance& instance,
                                                         const config::Peers& config, DenyKeeper& keeper,
                                                         std::uint64_t now_ns) {
    const auto or_else = [](const auto& failed) { return std::unexpected(failed.error()); };
    const auto trunks = kernel::addresses_of(config.trunks);
    if (!trunks) {
        return or_else(trunks);
    }
    auto thresholds = kernel::ThresholdMap::open(instance.pin("thresholds"));
    if (!thresholds) {
        return or_else(thresholds);
    }
    auto posture = kernel::PostureMap::open(instance.pin("posture"));
    if (!posture) {
        return or_else(posture);
    }
    auto counts = kernel::SignallingCounters::open(instance);
    if (!counts) {
        return or_else(counts);
    }
    auto syn = kernel::SynMonitor::open(instance);
    if (!syn) {
        return or_else(syn);
    }
    auto peers = kernel::PeerMap::open(instance.pin("peers"));
    if (!peers) {
        return or_else(peers);
    }
    std::unique_ptr<FloodMonitor> monitor(new FloodMonitor({.thresholds = std::move(*thresholds),
                                                            .posture = std::move(*posture),
                                                            .counts = std::move(*counts),
                                                            .syn = std::move(*syn)},
                                                           std::move(*peers), config, keeper));
    const std::size_t known = monitor->peers_.adopt(now_ns);
    monitor->peers_.set_configured(*trunks, now_ns);
    if (const auto before = monitor->maps_.posture.get(0); before && *before) {
        monitor->detector_.adopt((*before)->bits, monitor->thresholds(), now_ns);
    }
    if (known > 0) {
        spdlog::info("adopted {} known peers", known);
    }
    return monitor;
}

FloodMonitor::FloodMonitor(Maps maps, kernel::PeerMap peers, const config::Peers& config, DenyKeeper& keeper)
    : maps_(std::move(maps)), store_(std::move(peers)),
      peers_(store_, {.call_memory = std::chrono::duration_cast<std::chrono::seconds>(config.call_memory)}),
      keeper_(keeper) {
}

void FloodMonitor::registered(const Address& peer, const std::string& binding, std::chrono::seconds lifetime,
                              std::uint64_t now_ns) {
    peers_.registered(peer, binding, lifetime, now_ns);
}

void FloodMonitor::call_up(std::uint64_t dialog, const Address& peer, std::uint64_t now_ns) {
    peers_.call_up(dialog, peer, now_ns);
}

void FloodMonitor::call_over(std::uint64_t dialog, std::uint64_t now_ns) {
    peers_.call_over(dialog, now_ns);
}

// What cannot be read leaves the defaults.
stem_thresholds FloodMonitor::thresholds() const {
    if (const auto now = maps_.thresholds.get(0); now && *now) {
        return **now;
    }
    stem_thresholds defaults{};
    stem_default_thresholds(&defaults);
    return defaults;
}

void FloodMonitor::tick(std::uint64_t now_ns) {
    if (now_ns < next_look_ns_) {
        return;
    }
    next_look_ns_ = now_ns + look_interval_ns;
    peers_.tick(now_ns);
    const stem_thresholds limits = thresholds();
    detect(limits, now_ns);
}

// INVITEs that their own source's or stream's budget stopped are dealt with, and no sign of a spread flood.
void FloodMonitor::detect(const stem_thresholds& limits, std::uint64_t now_ns) {
    const auto counted = counts();
    if (!counted) {
        spdlog::error("{}", counted.error().message());
        return;
    }
    const stem_sip_count& invites = counted->of(STEM_SIP_KIND_INVITE, STEM_INBOUND);
    const std::uint64_t asked =
        invites.steered[STEM_LANE_KNOWN] + invites.steered[STEM_LANE_UNKNOWN] + invites.over_lane;
    std::array<flood::Counts, flood::signals> totals{};
    totals[static_cast<std::size_t>(flood::Signal::sip)] = {.requests = asked,
                                                            .answers = invites_answered_ + invites_retried_};
    const auto syn = maps_.syn.counts();
    if (!syn) {
        spdlog::error("{}", syn.error().message());
        return;
    }
    totals[static_cast<std::size_t>(flood::Signal::syn)] = {.requests = (*syn)[STEM_SYN_COUNT_SYN],
                                                            .answers = (*syn)[STEM_SYN_COUNT_SYN_ACK]};
    for (const flood::Signal signal : detector_.step(totals, limits, now_ns)) {
        write_posture(now_ns);
        if (detector_.alarmed(signal)) {
            spdlog::warn("alarm: {} flood from many sources (sum {:.1f} over {:.1f}); known peers go first",
                         flood::name_of(signal), detector_.cusum(signal).sum(),
                         limits.detector_alarm / percent);
        } else {
            spdlog::warn("alarm over: {} requests are answered again", flood::name_of(signal));
        }
    }
}

void FloodMonitor::write_posture(std::uint64_t now_ns) const {
    const stem_posture posture{.bits = detector_.posture(), .zero = 0, .since_ns = now_ns};
    if (const auto put = maps_.posture.put(0, posture); !put) {
        spdlog::error("{}", put.error().message());
    }
}

} // namespace stem::stemd
