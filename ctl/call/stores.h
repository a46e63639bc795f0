// SPDX-License-Identifier: Apache-2.0
// What the call monitor needs of the kernel: pinholes, and a place for records that outlives stemd.
#pragma once

#include <stem/abi/dialog.h>
#include <stem/abi/flow.h>
#include <stem/abi/learning.h>
#include <stem/error.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace stem::call {

// What the data plane lets through, and is to learn: the maps `flows` and `learning`.
class FlowStore {
  public:
    FlowStore() = default;
    virtual ~FlowStore() = default;
    FlowStore(const FlowStore&) = delete;
    FlowStore& operator=(const FlowStore&) = delete;

    virtual Result<> put(const stem_flow_key& key, const stem_flow& flow) = 0;
    virtual void erase(const stem_flow_key& key) = 0; // a missing key is no error
    virtual std::optional<stem_flow> get(const stem_flow_key& key) = 0;
    virtual void for_each(const std::function<void(const stem_flow_key&, const stem_flow&)>& visit) = 0;

    virtual Result<> put_learning(const stem_learning_key& key, const stem_learning& entry) = 0;
    virtual void erase_learning(const stem_learning_key& key) = 0; // a missing key is no error
    virtual std::optional<stem_learning> get_learning(const stem_learning_key& key) = 0;

    // Threshold rtp_total_kbps, now; 0 = no limit.
    virtual std::uint32_t total_kbps() = 0;
};

// The map `dialogs`.
class RecordStore {
  public:
    RecordStore() = default;
    virtual ~RecordStore() = default;
    RecordStore(const RecordStore&) = delete;
    RecordStore& operator=(const RecordStore&) = delete;

    virtual Result<> put(std::uint64_t id, const stem_dialog& record) = 0;
    virtual void erase(std::uint64_t id) = 0; // a missing key is no error
    virtual void for_each(const std::function<void(std::uint64_t, const stem_dialog&)>& visit) = 0;
};

} // namespace stem::call
