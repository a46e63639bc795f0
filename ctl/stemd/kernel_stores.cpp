// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/kernel_stores.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <vector>

namespace stem::stemd {
namespace {

// Where the interface has no room for an error; the kernel refuses these only when stemd lost its privilege.
template<typename T>
void warn_of(const Result<T>& result) {
    if (!result) {
        spdlog::error("{}", result.error().message());
    }
}

stem_connection_key key_of(const tcp::Pair& pair) {
    return {.outside = pair.outside.address.raw(),
            .inside = pair.inside.address.raw(),
            .outside_port = pair.outside.port,
            .inside_port = pair.inside.port,
            .zero = {}};
}

tcp::Pair pair_of(const stem_connection_key& key) {
    return {.outside = {.address = Address(key.outside), .port = key.outside_port},
            .inside = {.address = Address(key.inside), .port = key.inside_port}};
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

// Called for each message: told once, until there is room again.
void KernelPlaces::put(const tcp::Pair& pair, const tcp::Place& place) noexcept {
    stem_connection value{.behind = {}, .known = place.known ? 1U : 0U, .zero = 0};
    std::ranges::copy(place.behind, value.behind);
    const auto done = map_.put(key_of(pair), value);
    if (!done && !told_) {
        spdlog::warn("{}: connections will not survive a restart of stemd", done.error().message());
    }
    told_ = !done;
}

void KernelPlaces::erase(const tcp::Pair& pair) noexcept {
    warn_of(map_.erase(key_of(pair)));
}

std::optional<tcp::Place> KernelPlaces::find(const tcp::Pair& pair) noexcept {
    const auto value = map_.get(key_of(pair));
    warn_of(value);
    if (!value || !*value) {
        return std::nullopt;
    }
    tcp::Place place{.behind = {}, .known = (*value)->known != 0};
    std::ranges::copy((*value)->behind, place.behind.begin());
    return place;
}

void KernelPlaces::keep_only(const std::function<bool(const tcp::Pair&)>& is_there) noexcept {
    std::vector<stem_connection_key> stale;
    warn_of(map_.for_each([&](const stem_connection_key& key, const stem_connection& /*value*/) {
        if (!is_there(pair_of(key))) {
            stale.push_back(key);
        }
    }));
    for (const stem_connection_key& key : stale) {
        warn_of(map_.erase(key));
    }
}

} // namespace stem::stemd
