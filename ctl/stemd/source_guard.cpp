// SPDX-License-Identifier: Apache-2.0
#include "ctl/stemd/source_guard.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ctl/kernel/peer_list.h"

namespace stem::stemd {

Result<SourceGuard> SourceGuard::open(const kernel::Instance& instance, std::vector<Cidr> named) {
    auto peers = kernel::PeerMap::open(instance.pin("peers"));
    if (!peers) {
        return std::unexpected(peers.error());
    }
    auto inside = NeighbourMap::open(instance.pin("neighbours_inside"));
    if (!inside) {
        return std::unexpected(inside.error());
    }
    return SourceGuard(instance, std::move(*peers), std::move(*inside), std::move(named));
}

Result<std::optional<std::string>> SourceGuard::spared(const Address& source, std::uint64_t now_ns) const {
    const auto peer = peers_.get(source.raw());
    if (!peer) {
        return std::unexpected(peer.error());
    }
    if (*peer && ((*peer)->expires_ns == 0 || (*peer)->expires_ns > now_ns)) {
        return fmt::format("it is a known peer ({})",
                           fmt::join(kernel::names_of_kinds((*peer)->kinds), ", "));
    }
    const auto proxies = kernel::list_proxies(instance_);
    if (!proxies) {
        return std::unexpected(proxies.error());
    }
    if (std::ranges::any_of(*proxies, [&](const auto& proxy) { return proxy.endpoint.address == source; })) {
        return "it is the proxy";
    }
    if (std::ranges::any_of(named_, [&](const Cidr& network) { return network.contains(source); })) {
        return "stemd.toml names it as a relay or a NAT";
    }
    bool lives_inside = false; // in any VLAN
    const auto walked = inside_.for_each([&](const stem_neighbour_key& key, const stem_neighbour& entry) {
        lives_inside = Address(key.address) == source && (entry.flags & STEM_NEIGHBOUR_TENTATIVE) == 0;
        return !lives_inside;
    });
    if (!walked) {
        return std::unexpected(walked.error());
    }
    return lives_inside ? std::optional<std::string>("it lives inside") : std::nullopt;
}

} // namespace stem::stemd
