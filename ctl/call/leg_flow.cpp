// SPDX-License-Identifier: Apache-2.0
#include "ctl/call/leg_flow.h"

#include <algorithm>

namespace stem::call {

bool are_together(const Address& a, const Address& b, std::span<const Cidr> networks) {
    return std::ranges::any_of(
        networks, [&](const Cidr& network) { return network.contains(a) && network.contains(b); });
}

void LegFlow::learn_hop(const Address& host) {
    if (host.is_unspecified() || std::ranges::find(hops_, host) != hops_.end()) {
        return;
    }
    if (hops_.size() == STEM_HOPS_MAX) {
        hops_.erase(hops_.begin());
    }
    hops_.push_back(host);
}

void LegFlow::learn_hops(const sip::Message& message) {
    const auto learn_host = [this](const std::string& host) {
        if (const auto address = Address::parse(host); address) {
            learn_hop(*address);
        }
    };
    if (message.request) { // a response's Vias are the other leg's
        for (const auto& via : message.vias) {
            learn_host(via.host);
        }
    }
    for (const auto& host : message.record_route) {
        learn_host(host);
    }
    for (const auto& contact : message.contacts) {
        learn_host(contact.uri.host);
    }
}

Origin LegFlow::origin_of(const Endpoint& source, std::span<const Cidr> clusters,
                          std::span<const Cidr> nats) const {
    // A host that is named is itself, whatever its port. One behind a NAT names a private address, and shares
    // its public one with strangers: there only the port tells them apart.
    if (source == source_ || std::ranges::find(hops_, source.address) != hops_.end() ||
        are_together(source.address, source_.address, clusters)) {
        return Origin::known;
    }
    if (source.address == source_.address || are_together(source.address, source_.address, nats)) {
        return Origin::moved;
    }
    return Origin::stranger;
}

} // namespace stem::call
