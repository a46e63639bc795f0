// SPDX-License-Identifier: Apache-2.0
// What stemd does against floods (docs/flood.md): it tells the data plane who is known, watches requests and
// answers, raises alarms and sets the posture. The data plane does the dropping.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "ctl/call/observer.h"
#include "ctl/config/config.h"
#include "ctl/flood/detector.h"
#include "ctl/kernel/instance.h"
#include "ctl/kernel/signalling_counts.h"
#include "ctl/kernel/syn_monitor.h"
#include "ctl/peers/table.h"
#include "ctl/stemd/deny_keeper.h"

namespace stem::stemd {

class KernelPeers final : public peers::Store {
  public:
    explicit KernelPeers(kernel::PeerMap map) : map_(std::move(map)) {}

    Result<> put(const Address& address, const stem_peer& peer) override;
    void erase(const Address& address) override;
    void for_each(const std::function<void(const Address&, const stem_peer&)>& visit) override;

  private:
    kernel::PeerMap map_;
};

class FloodMonitor final : public call::Observer {
  public:
    // Takes over what an earlier stemd left. `keeper` must outlive it.
    static Result<std::unique_ptr<FloodMonitor>> open(const kernel::Instance& instance,
                                                      const config::Peers& config, DenyKeeper& keeper,
                                                      std::uint64_t now_ns);

    // call::Observer
    void registered(const Address& peer, const std::string& binding, std::chrono::seconds lifetime,
                    std::uint64_t now_ns) override;
    void call_up(std::uint64_t dialog, const Address& peer, std::uint64_t now_ns) override;
    void call_over(std::uint64_t dialog, std::uint64_t now_ns) override;
    void invite_answered() override { invites_answered_++; }
    void invite_retried() override { invites_retried_++; }
    void deny_asked(const Address& source, std::chrono::seconds lifetime, const std::string& note) override {
        keeper_.order({.source = source, .lifetime = lifetime, .note = note});
    }

    // Every 20 ms or so.
    void tick(std::uint64_t now_ns);

    [[nodiscard]] peers::Table& peers() noexcept { return peers_; }
    [[nodiscard]] const peers::Table& peers() const noexcept { return peers_; }
    [[nodiscard]] const flood::Detector& detector() const noexcept { return detector_; }
    [[nodiscard]] Result<kernel::SignallingCounts> counts() const { return maps_.counts.read(); }
    [[nodiscard]] DenyKeeper::Counts denials() const noexcept { return keeper_.counts(); }
    [[nodiscard]] const kernel::SynMonitor& syn() const noexcept { return maps_.syn; }

  private:
    struct Maps {
        kernel::ThresholdMap thresholds;
        kernel::PostureMap posture;
        kernel::SignallingCounters counts;
        kernel::SynMonitor syn;
    };
    FloodMonitor(Maps maps, kernel::PeerMap peers, const config::Peers& config, DenyKeeper& keeper);

    [[nodiscard]] stem_thresholds thresholds() const;
    void detect(const stem_thresholds& thresholds, std::uint64_t now_ns);
    void write_posture(std::uint64_t now_ns) const;

    Maps maps_;
    KernelPeers store_;
    peers::Table peers_;
    flood::Detector detector_;
    DenyKeeper& keeper_;
    std::uint64_t invites_answered_ = 0;
    std::uint64_t invites_retried_ = 0;
    std::uint64_t next_look_ns_ = 0;
};

} // namespace stem::stemd
