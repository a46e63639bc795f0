// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/kernel_stores.h"

#include <spdlog/spdlog.h>

namespace stem::stemd {
namespace {

// Where the interface has no room for an error; the kernel refuses these only when stemd lost its privilege.
template<typename T>
void warn_of(const Result<T>& result) {
    if (!result) {
        spdlog::error("{}", result.error().message());
    }
}

} // namespace

Result<> KernelFlows::put(const stem_flow_key& key, const stem_flow& flow) {
    return map_.put(key, flow);
}

void KernelFlows::erase(const stem_flow_key& key) {
    warn_of(map_.erase(key));
}

std::optional<stem_flow> KernelFlows::get(const stem_flow_key& key) {
    const auto flow = map_.get(key);
    warn_of(flow);
    return flow ? *flow : std::nullopt;
}

void KernelFlows::for_each(const std::function<void(const stem_flow_key&, const stem_flow&)>& visit) {
    warn_of(map_.for_each([&](const stem_flow_key& key, const stem_flow& flow) { visit(key, flow); }));
}

Result<> KernelFlows::put_learning(const stem_learning_key& key, const stem_learning& entry) {
    return learning_.put(key, entry);
}

void KernelFlows::erase_learning(const stem_learning_key& key) {
    warn_of(learning_.erase(key));
}

std::optional<stem_learning> KernelFlows::get_learning(const stem_learning_key& key) {
    const auto entry = learning_.get(key);
    warn_of(entry);
    return entry ? *entry : std::nullopt;
}

std::uint32_t KernelFlows::total_kbps() {
    const auto thresholds = thresholds_.get(0);
    warn_of(thresholds);
    return thresholds && *thresholds ? (*thresholds)->rtp_total_kbps : 0;
}

Result<> KernelRecords::put(std::uint64_t id, const stem_dialog& record) {
    return map_.put(id, record);
}

void KernelRecords::erase(std::uint64_t id) {
    warn_of(map_.erase(id));
}

void KernelRecords::for_each(const std::function<void(std::uint64_t, const stem_dialog&)>& visit) {
    warn_of(map_.for_each([&](std::uint64_t id, const stem_dialog& record) { visit(id, record); }));
}

} // namespace stem::stemd
