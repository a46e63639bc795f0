// SPDX-License-Identifier: Apache-2.0
// What stemd keeps in pinned maps, so that it outlives it: the call monitor's stores (`flows`, `learning`,
// `thresholds`, `dialogs`), and where connections are (`sip_connections`).
#pragma once

#include <ctl/tcp/places.h>

#include "ctl/call/stores.h"
#include "ctl/kernel/instance.h"

namespace stem::stemd {

class KernelFlows final : public call::FlowStore {
  public:
    KernelFlows(kernel::FlowMap map, kernel::LearningMap learning, kernel::ThresholdMap thresholds)
        : map_(std::move(map)), learning_(std::move(learning)), thresholds_(std::move(thresholds)) {}

    Result<> put(const stem_flow_key& key, const stem_flow& flow) override;
    void erase(const stem_flow_key& key) override;
    std::optional<stem_flow> get(const stem_flow_key& key) override;
    void for_each(const std::function<void(const stem_flow_key&, const stem_flow&)>& visit) override;
    Result<> put_learning(const stem_learning_key& key, const stem_learning& entry) override;
    void erase_learning(const stem_learning_key& key) override;
    std::optional<stem_learning> get_learning(const stem_learning_key& key) override;
    std::uint32_t total_kbps() override;

  private:
    kernel::FlowMap map_;
    kernel::LearningMap learning_;
    kernel::ThresholdMap thresholds_;
};

class KernelRecords final : public call::RecordStore {
  public:
    explicit KernelRecords(kernel::DialogMap map) : map_(std::move(map)) {}

    Result<> put(std::uint64_t id, const stem_dialog& record) override;
    void erase(std::uint64_t id) override;
    void for_each(const std::function<void(std::uint64_t, const stem_dialog&)>& visit) override;

  private:
    kernel::DialogMap map_;
};

class KernelPlaces final : public tcp::Places {
  public:
    explicit KernelPlaces(kernel::SipConnectionMap map) : map_(std::move(map)) {}

    void put(const tcp::Pair& pair, const tcp::Place& place) noexcept override;
    void erase(const tcp::Pair& pair) noexcept override;
    std::optional<tcp::Place> find(const tcp::Pair& pair) noexcept override;
    void keep_only(const std::function<bool(const tcp::Pair&)>& is_there) noexcept override;

  private:
    kernel::SipConnectionMap map_;
    bool told_ = false; // that it is full
};

} // namespace stem::stemd
