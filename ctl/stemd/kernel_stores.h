// SPDX-License-Identifier: Apache-2.0
// The call monitor's stores over the pinned maps `flows` and `dialogs`.
#pragma once

#include "ctl/call/stores.h"
#include "ctl/kernel/instance.h"

namespace stem::stemd {

class KernelFlows final : public call::FlowStore {
  public:
    explicit KernelFlows(kernel::FlowMap map) : map_(std::move(map)) {}

    Result<> put(const stem_flow_key& key, const stem_flow& flow) override;
    void erase(const stem_flow_key& key) override;
    std::optional<stem_flow> get(const stem_flow_key& key) override;
    void for_each(const std::function<void(const stem_flow_key&, const stem_flow&)>& visit) override;

  private:
    kernel::FlowMap map_;
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
