// SPDX-License-Identifier: Apache-2.0
// The call monitor's stores over the pinned maps `flows`, `learning`, `thresholds` and `dialogs`.
#pragma once

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

} // namespace stem::stemd
